"""Finalizers that keep claims, volumes and volume attributes classes for as long as they are used.

Admission gives them to what is new (apiserver/admission/storage_protection.py); the loops here take them away.
"""
