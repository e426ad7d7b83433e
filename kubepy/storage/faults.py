"""What is answered to who asks for a revision that a cache no longer has, or does not have yet."""

from kubepy.api.errors import Expired, Timeout


def too_old(revision: int, oldest: int) -> Expired:
    """What a watch or a list from before the kept history is answered."""
    return Expired(f"too old resource version: {revision} ({oldest})")


def too_large(revision: int, current: int) -> Timeout:
    """What a read of a revision that has not come is answered."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return Timeout(
        f"Timeout: Too large resource version: {revision}, current: {current}",
        details={"causes": [cause]},
        retry_after_s=1,
    )
