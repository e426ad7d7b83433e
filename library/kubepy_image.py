#!/usr/bin/python
"""Make a container image archive out of Debian packages and files, without a container runtime.

No registry is needed: mmdebstrap resolves the packages, and the archive (the format of `docker save`) is put
together here. Every layer and every archive is kept under a name that is a hash of what went into it, so an
archive that exists is never made again, and its image id is known before it is loaded.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kubepy_image
short_description: Make a container image archive from Debian packages and files
description:
  - Puts layers together into an archive that C(docker load) reads, in a cache folder keyed by content.
  - Runs on the controller; M(kubepy_image_load) takes the archive into a machine's Docker.
options:
  name: {description: Reference of the image (C(name:tag))., type: str, required: true}
  layers:
    description: Layers, lowest first; each has exactly one of the following keys.
    type: list
    elements: dict
    required: true
    suboptions:
      packages: {description: Debian packages of a root file system., type: list, elements: str}
      suite: {description: Debian release of C(packages)., type: str, default: bookworm}
      variant:
        description: C(minbase) is a small Debian; C(extract) is the packages' files and nothing else.
        type: str
        choices: [minbase, extract]
        default: minbase
      setup: {description: Shell lines run in the new root file system., type: list, elements: str}
      binary: {description: "Package whose file C(path) becomes C(dest), the only file of the layer but C(links) to it.", type: dict}
      wheels:
        description: >-
          Folder of wheels (C(wheelhouse)), installed by C(python) under C(dest) with launchers for C(scripts); distributions
          in C(leave_out) are not.
        type: dict
  config:
    description: The image's run settings in Docker's words (C(Cmd), C(Entrypoint), C(Env), C(StopSignal)).
    type: dict
    default: {}
  cache: {description: Folder of the archives and layers., type: path, default: /var/cache/kubepy/images}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Make the pause image
  kubepy_image:
    name: registry.k8s.io/pause:3.10
    layers:
      - binary: {package: catatonit, path: usr/bin/catatonit, dest: pause}
    config: {Entrypoint: [/pause, -P]}

- name: Make the image of a sandbox machine
  kubepy_image:
    name: kubepy/machine:latest
    layers:
      - packages: [systemd-sysv, openssh-server, python3]
    config: {Cmd: [/lib/systemd/systemd]}
"""

RETURN = r"""
archive: {description: Path of the archive., type: str, returned: success, sample: /var/cache/kubepy/images/pause-1f2e3d4c5b6a.tar}
id: {description: Image id that the archive loads as., type: str, returned: unless the archive is missing in check mode, sample: "sha256:0a1b..."}
"""

CREATED = "1970-01-01T00:00:00Z"
"""The same for all images: an id must depend on the content only."""


def key_of(*parts: Any) -> str:
    """A short hash of plain data, the same on every machine."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def slug(name: str) -> str:
    """The part of an image reference that makes a readable file name: registry.k8s.io/pause:3.10 -> pause."""
    return name.rsplit("/", 1)[-1].split(":")[0].split("@")[0]


def render_config(config: dict[str, Any], diff_ids: list[str]) -> bytes:
    """The image's config document; its SHA-256 is the image id."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": CREATED,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in diff_ids]},
        "history": [{"created": CREATED, "created_by": "kubepy_image"} for _ in diff_ids],
    }
    return json.dumps(document, sort_keys=True).encode()


def render_manifest(name: str, config_digest: str, diff_ids: list[str]) -> bytes:
    """The index of a `docker save` archive."""
    reference = name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
    entry = {
        "Config": f"{config_digest}.json",
        "RepoTags": [reference],
        "Layers": [f"{digest}/layer.tar" for digest in diff_ids],
    }
    return json.dumps([entry]).encode()


def mmdebstrap_command(layer: dict[str, Any], target: str) -> list[str]:
    """The command that makes the root file system of a `packages` layer as a tar file."""
    quiet = ["--quiet", "--format=tar", f"--variant={layer.get('variant') or 'minbase'}"]
    trim = [
        '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
    ]
    hooks = [f"--customize-hook=chroot \"$1\" sh -ec '{line}'" for line in layer.get("setup") or []]
    include = "--include=" + ",".join(layer["packages"])
    return ["mmdebstrap", *quiet, *trim, *hooks, include, layer.get("suite") or "bookworm", target]


def launcher(dest: str, entry_point: str) -> str:
    """A console script that needs no virtual environment: `module:function` out of the folder `dest`."""
    module, function = entry_point.split(":")
    return (
        "#!/usr/bin/python3\nimport sys\n"
        f"sys.path.insert(0, {dest!r})\nfrom {module} import {function}\nsys.exit({function}())\n"
    )


def wanted_wheels(names: list[str], leave_out: list[str]) -> list[str]:
    """The wheels among these files, sorted, less those of the named distributions."""
    return sorted(name for name in names if name.endswith(".whl") and name.split("-")[0] not in leave_out)


def run(command: list[str], **options: Any) -> None:
    """Run a command; what it said is in the error when it fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **options)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-15:]
        raise RuntimeError(f"{command[0]} failed ({done.returncode}): " + "\n".join(said))


def neutral(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owner and time that do not depend on who builds."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = "root"
    return info


def build_binary(layer: dict[str, Any], target: str) -> None:
    """One static file out of a Debian package, downloaded and unpacked but not installed."""
    with tempfile.TemporaryDirectory() as folder:
        run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", layer["package"]], cwd=folder)
        package = next(name for name in os.listdir(folder) if name.endswith(".deb"))
        run(["dpkg-deb", "--extract", package, "root"], cwd=folder)
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
            tar.add(os.path.join(folder, "root", layer["path"]), arcname=layer["dest"], filter=neutral)
            for link in layer.get("links") or []:
                info = neutral(tarfile.TarInfo(link))
                info.type, info.linkname = tarfile.SYMTYPE, f"/{layer['dest']}"
                tar.addfile(info)


def build_wheels(layer: dict[str, Any], target: str) -> None:
    """A folder of installed wheels, and launchers for its console scripts in /usr/local/bin."""
    with tempfile.TemporaryDirectory() as folder:
        source = ["--no-index", "--no-deps", "--find-links", layer["wheelhouse"]]
        names = wanted_wheels(os.listdir(layer["wheelhouse"]), layer.get("leave_out") or [])
        wheels = [os.path.join(layer["wheelhouse"], name) for name in names]
        pip = [layer["python"], "-m", "pip", "--quiet", "install", "--disable-pip-version-check", "--no-warn-conflicts"]
        run([*pip, "--target", folder, *source, *wheels])
        shutil.rmtree(os.path.join(folder, "bin"), ignore_errors=True)
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
            tar.add(folder, arcname=layer["dest"].lstrip("/"), filter=neutral)
            for script, entry_point in sorted(layer["scripts"].items()):
                text = launcher(layer["dest"], entry_point).encode()
                info = neutral(tarfile.TarInfo(f"usr/local/bin/{script}"))
                info.size, info.mode = len(text), 0o755
                tar.addfile(info, io.BytesIO(text))


def build_layer(layer: dict[str, Any], target: str) -> None:
    """The layer as a tar file at `target`, which appears only when it is complete."""
    partial = f"{target}.{os.getpid()}.part"
    try:
        if layer.get("packages"):
            run([*mmdebstrap_command(layer, "-")[:-1], partial])
        elif layer.get("binary"):
            build_binary(layer["binary"], partial)
        else:
            build_wheels(layer["wheels"], partial)
        os.replace(partial, target)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)


def digest_of(path: str) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_archive(path: str, name: str, config: dict[str, Any], layers: list[str]) -> str:
    """Write the archive of these layer files; returns the image id."""
    diff_ids = [digest_of(layer) for layer in layers]
    document = render_config(config, diff_ids)
    digest = hashlib.sha256(document).hexdigest()
    small = {f"{digest}.json": document, "manifest.json": render_manifest(name, digest, diff_ids)}
    partial = f"{path}.{os.getpid()}.part"
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
        for layer, diff_id in zip(layers, diff_ids, strict=True):
            tar.add(layer, arcname=f"{diff_id}/layer.tar", filter=neutral)
        for member, data in small.items():
            info = neutral(tarfile.TarInfo(member))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    os.replace(partial, path)
    return f"sha256:{digest}"


def make(params: dict[str, Any], archive: str) -> str:
    """Make what is missing, layers first; returns the image id."""
    folder = os.path.join(params["cache"], "layers")
    os.makedirs(folder, exist_ok=True)
    paths = [os.path.join(folder, f"{key_of(layer)}.tar") for layer in params["layers"]]
    for layer, path in zip(params["layers"], paths, strict=True):
        if not os.path.exists(path):
            build_layer(layer, path)
    image_id = write_archive(archive, params["name"], params["config"], paths)
    with open(f"{archive}.id", "w", encoding="ascii") as stream:
        stream.write(image_id)
    return image_id


def main() -> None:
    """Run as an Ansible module."""
    layer = {
        "packages": {"type": "list", "elements": "str"},
        "suite": {"type": "str", "default": "bookworm"},
        "variant": {"type": "str", "choices": ["minbase", "extract"], "default": "minbase"},
        "setup": {"type": "list", "elements": "str"},
        "binary": {"type": "dict"},
        "wheels": {"type": "dict"},
    }
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "layers": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": layer,
                "required_one_of": [("packages", "binary", "wheels")],
                "mutually_exclusive": [("packages", "binary", "wheels")],
            },
            "config": {"type": "dict", "default": {}},
            "cache": {"type": "path", "default": "/var/cache/kubepy/images"},
        },
        supports_check_mode=True,
    )
    params = module.params
    key = key_of(params["name"], params["layers"], params["config"])
    archive = os.path.join(params["cache"], f"{slug(params['name'])}-{key}.tar")
    if os.path.exists(f"{archive}.id") and os.path.exists(archive):
        with open(f"{archive}.id", encoding="ascii") as stream:
            module.exit_json(changed=False, archive=archive, id=stream.read())
    if module.check_mode:
        module.exit_json(changed=True, archive=archive)
    tools = ["apt-get", *(["mmdebstrap"] if any(entry["packages"] for entry in params["layers"]) else [])]
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        module.fail_json(msg=f"{' and '.join(missing)} missing here: images are made on a Debian or Ubuntu controller")
    try:
        image_id = make(params, archive)
    except (RuntimeError, OSError) as error:
        module.fail_json(msg=f"The image {params['name']} could not be made: {error}")
    module.exit_json(changed=True, archive=archive, id=image_id)


if __name__ == "__main__":
    main()
