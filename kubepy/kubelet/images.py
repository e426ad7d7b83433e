"""Bring a container's image onto the node, as its pull policy says.

Faults carry upstream's reasons: ErrImageNeverPull, InvalidImageName, ErrImagePull, and ImagePullBackOff while a failed
pull waits for its next try (10 s doubling to 5 min per image). One pull of an image at a time serves all who wait.
Source: pkg/kubelet/images/image_manager.go; pkg/credentialprovider.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from kubepy.kubelet.runtime.base import ImageInfo, Runtime, RuntimeFault
from kubepy.lib.clock import Clock

Object = dict[str, Any]
Tell = Callable[[str, str, str], None]
"""(type, reason, message) of an event about the container"""

_FIRST_S, _MOST_S = 10.0, 300.0
_REFERENCE = re.compile(
    r"^(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?$"
)


class ImageFault(Exception):
    """The image is not there. `reason` is the container's waiting reason; `retry_at` on the clock's monotonic scale."""

    def __init__(self, reason: str, message: str, retry_at: float) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_at = retry_at


@dataclass(slots=True)
class _Failure:
    message: str
    delay_s: float
    until: float


class ImageManager:
    """The images of this node."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._failures: dict[str, _Failure] = {}
        self._pulls: dict[str, asyncio.Lock] = {}

    async def ensure(self, container: Object, auths: Sequence[Mapping[str, str] | None], tell: Tell) -> ImageInfo:
        """The image, present. Raises ImageFault."""
        reference = container.get("image") or ""
        if not is_reference(reference):
            message = f'Failed to apply default image tag "{reference}": couldn\'t parse image name "{reference}": '
            message += "invalid reference format"
            tell("Warning", "InspectFailed", message)
            raise ImageFault("InvalidImageName", message, self._clock.monotonic() + _MOST_S)
        policy = container.get("imagePullPolicy") or default_policy(reference)
        try:
            found = await self._runtime.image(reference)
        except RuntimeFault as fault:
            raise ImageFault("ImageInspectError", str(fault), self._clock.monotonic() + _FIRST_S) from fault
        if found is not None and policy != "Always":
            tell("Normal", "Pulled", f'Container image "{reference}" already present on machine')
            return found
        if policy == "Never":
            message = f'Container image "{reference}" is not present with pull policy of Never'
            tell("Warning", "ErrImageNeverPull", message)
            raise ImageFault("ErrImageNeverPull", message, self._clock.monotonic() + _FIRST_S)
        self._hold_back(reference, tell)
        async with self._pulls.setdefault(reference, asyncio.Lock()):
            return await self._pull(reference, auths, tell)

    def _hold_back(self, reference: str, tell: Tell) -> None:
        failure = self._failures.get(reference)
        if failure is not None and self._clock.monotonic() < failure.until:
            tell("Normal", "BackOff", f'Back-off pulling image "{reference}"')
            message = f'Back-off pulling image "{reference}": ErrImagePull: {failure.message}'
            raise ImageFault("ImagePullBackOff", message, failure.until)

    async def _pull(self, reference: str, auths: Sequence[Mapping[str, str] | None], tell: Tell) -> ImageInfo:
        self._hold_back(reference, tell)
        tell("Normal", "Pulling", f'Pulling image "{reference}"')
        begun = self._clock.monotonic()
        problem = ""
        for auth in auths or (None,):
            try:
                await self._runtime.pull(reference, auth)
                break
            except RuntimeFault as fault:
                problem = str(fault)
        else:
            self._fail(reference, problem, tell)
        found = await self._runtime.image(reference)
        if found is None:
            self._fail(reference, "the image is not there after its pull", tell)
        assert found is not None
        self._failures.pop(reference, None)
        took_s = self._clock.monotonic() - begun
        tell(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{reference}" in {took_s:.3f}s. Image size: {found.size_bytes} bytes.',
        )
        return found

    def _fail(self, reference: str, message: str, tell: Tell) -> None:
        before = self._failures.get(reference)
        delay_s = min(before.delay_s * 2, _MOST_S) if before else _FIRST_S
        until = self._clock.monotonic() + delay_s
        self._failures[reference] = _Failure(message, delay_s, until)
        tell("Warning", "Failed", f'Failed to pull image "{reference}": {message}')
        tell("Warning", "Failed", "Error: ErrImagePull")
        raise ImageFault("ErrImagePull", message, self._clock.monotonic() + 1.0)


def is_reference(text: str) -> bool:
    """Whether it can name an image; a bare image id can, too."""
    return bool(_REFERENCE.match(text)) or bool(re.fullmatch(r"(sha256:)?[0-9a-f]{64}", text))


def default_policy(reference: str) -> str:
    """Always for `latest` and for no tag, IfNotPresent for the rest."""
    last = reference.rsplit("/", 1)[-1]
    return "IfNotPresent" if "@" in last or (":" in last and not last.endswith(":latest")) else "Always"


def registry_of(reference: str) -> str:
    """The registry that an image comes from."""
    first = reference.split("/", 1)[0]
    return first if "/" in reference and ("." in first or ":" in first or first == "localhost") else "docker.io"


def credentials(secret: Object | None, reference: str) -> list[dict[str, str]]:
    """What a pull secret says for the image's registry; empty when nothing fits or it cannot be read."""
    data = (secret or {}).get("data") or {}
    raw = data.get(".dockerconfigjson") or data.get(".dockercfg")
    if not raw:
        return []
    try:
        document = orjson.loads(base64.b64decode(raw))
    except ValueError:
        return []
    wanted = registry_of(reference)
    found = []
    for server, entry in (document.get("auths") or document).items():
        host = server.removeprefix("https://").removeprefix("http://").split("/")[0]
        if host == wanted or (wanted == "docker.io" and host in ("index.docker.io", "registry-1.docker.io")):
            found.append(_credential(entry))
    return found


def _credential(entry: Mapping[str, str]) -> dict[str, str]:
    if entry.get("username"):
        return {"username": entry["username"], "password": entry.get("password", "")}
    user, _, password = base64.b64decode(entry.get("auth", "")).decode(errors="replace").partition(":")
    return {"username": user, "password": password}
