"""The asyncio kit: tasks, daemon skeleton, clock, work queue, logging, HTTP. Knows nothing of Kubernetes."""
