"""Certificates for kubelets and clients: approving requests that are due, signing those that are approved."""
