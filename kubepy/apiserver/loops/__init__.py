"""What an API server does beside requests: follows definitions and policies, keeps its own objects, repairs."""
