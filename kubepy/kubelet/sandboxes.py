"""Make and end a pod's sandbox: the pause container, its network by CNI, its host files.

Invariants: a sandbox counts as ready only with its network set up; the network is given back before the container
that holds the namespace is stopped, so that plugins still find it.
Source: pkg/kubelet/dockershim/docker_sandbox.go; pkg/kubelet/network/cni.
"""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from kubepy.kubelet.container_spec import port_mappings, sandbox_spec
from kubepy.kubelet.dns import hostname_of, parse_resolv_conf, render_hosts, resolver
from kubepy.kubelet.runtime.base import Brief, RuntimeFault, SandboxStatus
from kubepy.kubelet.services import NodeServices
from kubepy.lib import log
from kubepy.network.cni import Attachment, CniError

Object = dict[str, Any]

_log = log.get(__name__)


async def make_sandbox(services: NodeServices, pod: Object, attempt: int) -> SandboxStatus:
    """A ready sandbox. Raises RuntimeFault, CniError, ConfigFault."""
    config = services.config
    hostname, _ = hostname_of(pod, socket.gethostname(), config.cluster_domain)
    spec = sandbox_spec(
        pod,
        attempt=attempt,
        image=config.sandbox_image,
        hostname=hostname,
        cgroup_parent=services.cgroup_of(pod),
        allowed_sysctls=config.allowed_sysctls,
        handler=services.runtime_handler(pod["spec"].get("runtimeClassName") or ""),
    )
    if not spec.host_network and (fault := services.cni.fault()):
        raise CniError(f"network is not ready: {fault}")
    sandbox = await services.runtime.run_sandbox(spec)
    try:
        if not sandbox.host_network:
            ips = await services.cni.add(_attachment(sandbox, pod))
            sandbox = replace(sandbox, ips=ips)
        await asyncio.to_thread(write_host_files, services, pod, sandbox)
    except (CniError, OSError):
        await services.runtime.remove(sandbox.id)
        raise
    return sandbox


def _attachment(sandbox: SandboxStatus, pod: Object | None) -> Attachment:
    ref = sandbox.pod
    return Attachment(
        container_id=sandbox.id,
        netns=f"/proc/{sandbox.pid}/ns/net" if sandbox.pid else "",
        port_mappings=port_mappings(pod) if pod else (),
        args={
            "IgnoreUnknown": "1",
            "K8S_POD_NAMESPACE": ref.namespace,
            "K8S_POD_NAME": ref.name,
            "K8S_POD_INFRA_CONTAINER_ID": sandbox.id,
            "K8S_POD_UID": ref.uid,
        },
    )


async def stop_sandbox(services: NodeServices, sandbox: SandboxStatus, pod: Object | None = None) -> None:
    """Gives the network back and stops the sandbox. Raises CniError, RuntimeFault."""
    if not sandbox.host_network:
        await services.cni.delete(_attachment(sandbox, pod))
    if sandbox.ready:
        await services.runtime.stop(sandbox.id, 0)


def write_host_files(services: NodeServices, pod: Object, sandbox: SandboxStatus) -> None:
    """The pod's /etc/hosts, resolv.conf and hostname, which its containers get as mounts. Blocks."""
    config = services.config
    folder = services.pod_dir(pod["metadata"]["uid"])
    folder.mkdir(parents=True, exist_ok=True)
    found, warnings = resolver(pod, services.host_resolver, config.cluster_dns, config.cluster_domain)
    for warning in warnings:
        reason = "MissingClusterDNS" if "ClusterDNS" in warning else "DNSConfigForming"
        services.recorder.event(pod, "Warning", reason, warning)
    (folder / "resolv.conf").write_text(found.render())
    names = hostname_of(pod, socket.gethostname(), config.cluster_domain)
    hosts = Path("/etc/hosts").read_text() if pod["spec"].get("hostNetwork") else ""
    (folder / "etc-hosts").write_text(render_hosts(pod, sandbox.ips, names, hosts))


def read_host_resolver(path: str) -> Any:
    """The node's own resolv.conf, as pods with dnsPolicy Default see it; empty when there is none."""
    try:
        return parse_resolv_conf(Path(path).read_text()) if path else parse_resolv_conf("")
    except OSError:
        return parse_resolv_conf("")


async def remove_pod(services: NodeServices, briefs: list[Brief], *, grace_s: float) -> None:
    """Ends and removes everything of a pod that nobody wants: containers, then sandboxes with their networks."""
    containers = [b for b in briefs if not b.sandbox]
    await asyncio.gather(*(services.runtime.stop(b.id, grace_s) for b in containers if b.state == "running"))
    for brief in containers:
        await services.runtime.remove(brief.id)
    for brief in [b for b in briefs if b.sandbox]:
        found = await services.runtime.inspect(brief.id)
        if isinstance(found, SandboxStatus):
            try:
                await stop_sandbox(services, found)
            except (CniError, RuntimeFault) as fault:
                _log.warning("sandbox not taken down cleanly", sandbox=brief.id, why=str(fault))
            await services.runtime.remove(brief.id)
