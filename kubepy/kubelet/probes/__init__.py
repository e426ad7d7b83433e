"""Liveness, readiness and startup probes: one attempt (prober.py), its repetition (worker.py), gRPC's wire (grpc.py)."""
