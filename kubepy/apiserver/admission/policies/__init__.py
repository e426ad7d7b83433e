"""Admission policies in CEL: ValidatingAdmissionPolicy and MutatingAdmissionPolicy, and matchConditions of webhooks."""
