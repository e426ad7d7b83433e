"""CEL as Kubernetes speaks it; `environment` says how it is used, `schemas` how rules of custom resources are typed."""
