"""Asks a server process what schemathesis makes of the OpenAPI documents that it publishes; tells what it did wrong.

`endpoints.py` knows where this API is weak and asks fast, in one process; this one knows nothing of Kubernetes but for
a few names, and asks over TLS. For long, by hand: `python -m tests.fuzz.published --seconds 600 --seed 7`.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation

from tests.api.processes import ADMIN, ApiProcess, api_process
from tests.fuzz.requests import JSON, NAMES, NAMESPACES, SERVERS

MEMORY_BOUND_MB = 600
_HANGS_AFTER_S = 15.0
_READ_AT_MOST = 1 << 20
_UPSTREAM_OF_IT = ("proxy", "log", "exec", "attach", "portforward")
"""Subresources that are answered by somebody behind the server, who is not there: any 5xx tells so."""
_CRASHED = b"see the server's log"
_UPSTREAMS_OWN = (b"resourceVersion: Invalid value", b"resourceVersion should not be set on objects to be created")
"""Faults of a client that upstream answers with 500 as well."""
_BROWSING = ("text/plain", "text/html")
_DELETES = 0.2
"""The share of deletions that are sent: with all of them, little would be there to be asked for."""


@dataclass
class Report:
    """What came of it."""

    count: int = 0
    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    memory_mb: int = 0


@dataclass(frozen=True)
class Told:
    """An answer; of a stream, what comes at first."""

    code: int
    media: str
    body: bytes


def cases(operation: APIOperation[Any, Any, Any, Any], count: int, seed: int, mode: GenerationMode) -> list[Case[Any]]:
    """Requests of an operation: the same for the same seed."""
    made: list[Case[Any]] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        derandomize=False,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def collect(case: Case[Any]) -> None:
        made.append(case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            collect()
        except hypothesis.errors.Unsatisfiable:  # nothing about it can be wrong
            return []
    return made


def settle(case: Case[Any], chance: random.Random) -> None:
    """Aims a request at what may be there, and sends its body as what the server reads."""
    if case.media_type is not None and "patch" not in case.media_type:
        case.media_type = JSON
    parameters = case.path_parameters or {}
    if "namespace" in parameters:
        parameters["namespace"] = chance.choice(NAMESPACES)
    if "name" in parameters:
        parameters["name"] = chance.choice(NAMES)
    body = case.body
    if isinstance(body, dict):
        body.pop("apiVersion", None)
        body.pop("kind", None)
        meta = body.get("metadata")
        if isinstance(meta, dict):
            for unwanted in SERVERS:
                meta.pop(unwanted, None)
            meta["name"] = parameters.get("name") or chance.choice(NAMES)
        elif "post" in case.method.lower():
            body["metadata"] = {"name": chance.choice(NAMES)}


def fault(case: Case[Any], told: Told) -> str | None:
    """What is wrong with an answer."""
    behind = case.path.rpartition("{name}")[2].strip("/").partition("/")[0] in _UPSTREAM_OF_IT
    if told.code == 500 and any(why in told.body for why in _UPSTREAMS_OWN):
        return None
    if told.code >= 500 and told.code != 501 and (not behind or _CRASHED in told.body):
        return f"{told.code} {told.body[:300]!r}"
    if told.code < 400 or (behind and told.code >= 500) or told.media in _BROWSING:
        return None  # of plain text are the answers of the layers above the API: a broken path, no page
    try:
        status = json.loads(told.body)
    except ValueError:
        return f"{told.code} is no JSON: {told.media} {told.body[:300]!r}"
    if status.get("kind") != "Status" or status.get("code") != told.code or not status.get("message"):
        return f"{told.code} is no Status: {told.body[:300]!r}"
    return None


class Client:
    """Sends requests to a server, one at a time."""

    def __init__(self, api: ApiProcess) -> None:
        self._api = api
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(api.folder / "ca.crt")
        self._headers = {"Accept": JSON, "Authorization": f"Bearer {ADMIN}"}

    def get(self, path: str) -> Any:
        """A document."""
        answer = self._session.get(self._api.url + path, headers=self._headers, timeout=_HANGS_AFTER_S)
        assert answer.status_code == 200, (path, answer.text[:300])
        return answer.json()

    def ask(self, case: Case[Any]) -> Told:
        """The answer. Raises requests.RequestException."""
        case.headers.update(self._headers)
        sent = case.as_transport_kwargs(base_url=self._api.url)
        sent.pop("timeout", None)
        with self._session.request(**sent, timeout=_HANGS_AFTER_S, stream=True, allow_redirects=False) as answer:
            media = answer.headers.get("Content-Type", "").partition(";")[0]
            return Told(answer.status_code, media, self._body(answer))

    @staticmethod
    def _body(answer: requests.Response) -> bytes:
        if "Content-Length" not in answer.headers:
            return b""  # a watch, a log that is followed: they are as long as they are
        return answer.raw.read(_READ_AT_MOST, decode_content=True) or b""

    def memory_mb(self) -> int:
        """What the server's process has in memory."""
        assert self._api.process is not None
        status = Path(f"/proc/{self._api.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024


def operations(client: Client) -> list[APIOperation[Any, Any, Any, Any]]:
    """Every operation of every document that is published."""
    found = []
    for entry in client.get("/openapi/v3")["paths"].values():
        schema = schemathesis.openapi.from_dict(client.get(entry["serverRelativeURL"]))
        found += [one.ok() for one in schema.get_all_operations()]
    return found


def _rounds(known: list[Any], chance: random.Random) -> Iterator[Any]:
    while True:
        yield from chance.sample(known, len(known))


def fuzz(api: ApiProcess, seed: int, goes_on: Callable[[int], bool], *, each: int) -> Report:
    """Asks while `goes_on` of the number of operations so far; each in turn, in an order of chance.

    `each` is how many right and how many wrong requests are made of an operation.
    """
    report, chance, client = Report(), random.Random(seed), Client(api)
    for done, operation in enumerate(_rounds(operations(client), chance)):
        if not goes_on(done):
            break
        if operation.method == "delete" and chance.random() > _DELETES:
            continue
        for mode in GenerationMode:
            for case in cases(operation, each, chance.randrange(1 << 32), mode):
                _try(client, case, report)  # making one takes longer than sending it: each is sent in three forms
                for _ in range(2):
                    settle(case, chance)
                    _try(client, case, report)
    client.get("/version")
    report.memory_mb = client.memory_mb()
    return report


def _try(client: Client, case: Case[Any], report: Report) -> None:
    report.count += 1
    try:
        told = client.ask(case)
    except requests.RequestException as error:
        report.faults.append(f"{error!r}: {case.as_curl_command()}")
        return
    except UnicodeError:
        return  # nothing that could be sent
    report.codes[case.method, told.code] += 1
    if why := fault(case, told):
        report.faults.append(f"{why}: {case.as_curl_command()}")


async def run(folder: Path, seed: int, goes_on: Callable[[int], bool], *, each: int = 4) -> Report:
    """The same, of a server process that lives as long."""
    async with api_process(folder) as api:
        return await asyncio.to_thread(fuzz, api, seed, goes_on, each=each)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    until = time.monotonic() + chosen.seconds
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(Path(folder), chosen.seed, lambda _: time.monotonic() < until))
    print(*report.faults, sep="\n")
    print(report.count, "requests,", report.memory_mb, "MB afterwards")
    for (method, code), count in sorted(report.codes.items()):
        print(f"{method:7} {code} {count}")


if __name__ == "__main__":
    main()
