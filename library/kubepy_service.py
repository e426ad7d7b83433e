#!/usr/bin/python
"""Run a systemd unit: under systemd where it is PID 1, else the same command line under supervisord.

A role writes one unit file and calls this module; nothing else in a role knows which of the two runs it. Under
supervisord a program is made from the unit's [Service] section (the keys in `PROGRAM_KEYS`); logs go to
/var/log/kubepy. What decides (`plan_systemd`, `render_program`, `plan_supervisor`) is pure.
"""

from __future__ import annotations

import os
import resource
import shlex
import socket
import time
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kubepy_service
short_description: Start, stop, restart or remove a service, with systemd or without
description:
  - On a machine whose PID 1 is systemd this enables and starts the unit.
  - Elsewhere it runs the unit's command line under supervisord, with the unit's user, environment and restart rule.
options:
  name: {description: Name of the unit without C(.service)., type: str, required: true}
  state:
    description:
      - C(restarted) also starts a service that does not run, and loads a changed unit.
      - C(absent) stops it and forgets it, and removes the unit file if it is in /etc/systemd/system.
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
  enabled: {description: Whether it starts with the machine., type: bool, default: true}
  command:
    description: Command line without systemd, for units that only work under it (socket activation, C($VARIABLES)).
    type: str
  answers:
    description: A UNIX socket. Without systemd, a service that somebody else started and that answers there is left alone.
    type: path
  home: {description: Virtual environment that holds supervisord., type: path, default: /opt/kubepy}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Start the scheduler
  kubepy_service:
    name: kube-scheduler

- name: Start Docker, whose own unit needs systemd's sockets
  kubepy_service:
    name: docker
    command: /usr/sbin/dockerd
    answers: /run/docker.sock
"""

RETURN = r"""
manager: {description: What runs the service., type: str, returned: always, sample: systemd}
actions: {description: What was done., type: list, returned: always, sample: [daemon-reload, enable, start]}
"""

PROGRAMS = "/etc/kubepy/supervisor.d"
SUPERVISOR_CONF = "/etc/kubepy/supervisord.conf"
LOGS = "/var/log/kubepy"


def is_answering(path: str) -> bool:
    """Whether somebody listens on the UNIX socket; the file alone may be left of one that died."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(5)
        try:
            channel.connect(path)
        except OSError:
            return False
        return True


def file_limit() -> int:
    """Open files that supervisord asks for, for itself and its programs: half of what it may have, 32768 at most."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 32768 if hard == resource.RLIM_INFINITY else max(1024, min(hard, 65536) // 2)


SUPERVISOR_TEXT = f"""\
; Written by kubepy: runs the services of a machine that has no systemd.
[unix_http_server]
file=/run/kubepy-supervisor.sock
chmod=0700
[supervisord]
logfile={LOGS}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile=/run/kubepy-supervisor.pid
minfds={file_limit()}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///run/kubepy-supervisor.sock
[include]
files={PROGRAMS}/*.conf
"""
UNIT_FOLDERS = ("/etc/systemd/system", "/lib/systemd/system")


@dataclass(frozen=True)
class Unit:
    """What systemd knows of a unit: `systemctl show`."""

    loaded: bool
    active: bool
    enabled: bool
    stale: bool
    ours: bool
    """Read from our folder; systemd does not notice by itself a file there that overrides a package's."""


def parse_show(text: str) -> Unit:
    """Read `systemctl show -p LoadState,ActiveState,UnitFileState,NeedDaemonReload,FragmentPath`."""
    shown = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return Unit(
        loaded=shown.get("LoadState") == "loaded",
        active=shown.get("ActiveState") in {"active", "activating", "reloading"},
        enabled=shown.get("UnitFileState") in {"enabled", "static", "indirect", "alias"},
        stale=shown.get("NeedDaemonReload") == "yes",
        ours=shown.get("FragmentPath", "").startswith(f"{UNIT_FOLDERS[0]}/"),
    )


def plan_systemd(unit: Unit, *, state: str, enabled: bool, has_file: bool) -> list[str]:
    """The systemctl verbs that take the unit where it should be, in order."""
    if state == "absent":
        stop = ["stop"] if unit.active else []
        disable = ["disable"] if unit.enabled and unit.loaded else []
        return [*stop, *disable, *(["remove", "daemon-reload"] if has_file else [])]
    actions = ["daemon-reload"] if unit.stale or (has_file and not unit.ours) else []
    if enabled != unit.enabled:
        actions.append("enable" if enabled else "disable")
    if state == "restarted":
        actions.append("restart" if unit.active else "start")
    elif (state == "started") != unit.active:
        actions.append("start" if state == "started" else "stop")
    return actions


def parse_unit(text: str) -> dict[str, list[str]]:
    """The [Service] section: key -> values, an empty assignment clearing the earlier ones as in systemd."""
    service: dict[str, list[str]] = {}
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and line[0] not in "#;":
            key, value = (part.strip() for part in line.split("=", 1))
            service[key] = [*service.get(key, []), value] if value else []
    return service


def seconds(text: str) -> int:
    """A systemd time span of one unit in whole seconds: 90, 90s, 2min."""
    if text.endswith("min"):
        return int(float(text[:-3]) * 60)
    return int(float(text.removesuffix("s")))


def render_program(name: str, service: dict[str, list[str]], *, command: str | None = None) -> str:
    """The supervisord program that stands for a unit's [Service] section."""

    def last(key: str, default: str = "") -> str:
        return (service.get(key) or [default])[-1]

    environment = [item.split("=", 1) for line in service.get("Environment", []) for item in shlex.split(line)]
    whole_group = "false" if last("KillMode") == "process" else "true"
    program = {
        "command": " ".join((command or last("ExecStart")).lstrip("-+!:@").split()),
        "user": last("User"),
        "directory": last("WorkingDirectory"),
        "environment": ",".join(f'{key}="{value}"' for key, value in environment),
        "umask": last("UMask"),
        "autostart": "true",
        "autorestart": "false" if last("Restart", "no") == "no" else "true",
        "startsecs": "1",
        "startretries": "1000000",
        "stopsignal": last("KillSignal", "SIGTERM").removeprefix("SIG"),
        "stopwaitsecs": str(seconds(last("TimeoutStopSec", "90s"))),
        "stopasgroup": whole_group,
        "killasgroup": whole_group,
        "redirect_stderr": "true",
        "stdout_logfile": f"{LOGS}/{name}.log",
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "2",
    }
    lines = [f"{key}={value.replace('%', '%%')}" for key, value in program.items() if value]
    return "\n".join([f"; From {name}.service.", f"[program:{name}]", *lines]) + "\n"


def plan_supervisor(*, state: str, wanted: str, written: str, running: bool) -> list[str]:
    """The steps that take a program where it should be: write, update, start, stop, restart, remove."""
    if state == "absent":
        return [*(["stop"] if running else []), *(["remove"] if written else [])]
    if state == "stopped":
        return ["stop"] if running else []
    if wanted != written:
        return ["write", "update"]
    if state == "restarted":
        return ["restart" if running else "start"]
    return [] if running else ["start"]


def is_systemd() -> bool:
    """Whether PID 1 is systemd: the test that sd_booted(3) makes."""
    return os.path.isdir("/run/systemd/system")


def read(path: str) -> str:
    """A file's text, empty if there is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def write(path: str, text: str) -> None:
    """Write a file that appears whole."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(f"{path}.new", path)


class Systemd:
    """Carries a plan out with systemctl."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.file = f"{UNIT_FOLDERS[0]}/{self.name}.service"

    def plan(self) -> list[str]:
        """What there is to do."""
        keys = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,FragmentPath"
        _, shown, _ = self.module.run_command(["systemctl", "show", "-p", keys, f"{self.name}.service"])
        params = self.module.params
        exists = os.path.exists(self.file)
        return plan_systemd(parse_show(shown), state=params["state"], enabled=params["enabled"], has_file=exists)

    def act(self, action: str) -> None:
        """Do one step of the plan."""
        if action == "remove":
            os.unlink(self.file)
            return
        subject = [] if action == "daemon-reload" else [f"{self.name}.service"]
        code, _, error = self.module.run_command(["systemctl", "--quiet", action, *subject])
        if code:
            journal = ["journalctl", "--no-pager", "--output=cat", "--lines=15", f"--unit={self.name}"]
            _, log, _ = self.module.run_command(journal)
            self.module.fail_json(
                msg=f"systemctl {action} {self.name} failed: {error.strip()}\nIts last words:\n{log.strip()}"
            )


class Supervisor:
    """Carries a plan out with supervisorctl, starting supervisord first where it does not run."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.file = f"{PROGRAMS}/{self.name}.conf"
        self.unit = next((text for text in (read(f"{f}/{self.name}.service") for f in UNIT_FOLDERS) if text), "")
        self.wanted = render_program(self.name, parse_unit(self.unit), command=module.params["command"])

    def control(self, *arguments: str) -> tuple[int, str]:
        """Run supervisorctl; returns its exit code and what it said."""
        tool = os.path.join(self.module.params["home"], "bin", "supervisorctl")
        if not os.path.exists(tool):
            return 127, f"{tool} is missing: the role kubepy installs it"
        code, said, error = self.module.run_command([tool, "-c", SUPERVISOR_CONF, *arguments])
        return code, (said + error).strip()

    def status(self) -> str:
        """RUNNING, STARTING, BACKOFF, STOPPED, FATAL... or '' when unknown."""
        _, said = self.control("status", self.name)
        words = said.split()
        return words[1] if len(words) > 1 and words[0] == self.name else ""

    def plan(self) -> list[str]:
        """What there is to do; nothing for a service that somebody else runs."""
        params, written = self.module.params, read(self.file)
        if not written and params["answers"] and is_answering(params["answers"]):
            return []
        running = self.status() in {"RUNNING", "STARTING", "BACKOFF"}
        actions = plan_supervisor(state=params["state"], wanted=self.wanted, written=written, running=running)
        unit_file = f"{UNIT_FOLDERS[0]}/{self.name}.service"
        return [*actions, "remove-unit"] if params["state"] == "absent" and os.path.exists(unit_file) else actions

    def ensure_supervisord(self) -> None:
        """Start supervisord unless it answers."""
        write(SUPERVISOR_CONF, SUPERVISOR_TEXT)
        os.makedirs(LOGS, exist_ok=True)
        code, _ = self.control("pid")
        if code == 0:
            return
        daemon = os.path.join(self.module.params["home"], "bin", "supervisord")
        code, said, error = self.module.run_command([daemon, "-c", SUPERVISOR_CONF], cwd="/")
        if code:
            self.module.fail_json(
                msg=f"supervisord does not start: {(said + error).strip()}; see {LOGS}/supervisord.log"
            )

    def act(self, action: str) -> None:
        """Do one step of the plan."""
        if action == "remove-unit":
            os.unlink(f"{UNIT_FOLDERS[0]}/{self.name}.service")
        elif action == "remove":
            os.unlink(self.file)
            self.control("update", self.name)
            if not os.listdir(PROGRAMS):
                self.control("shutdown")  # it ran the last one
        elif action == "write":
            write(self.file, self.wanted)
        else:
            if action != "stop":
                self.ensure_supervisord()
            code, said = self.control(action, self.name)
            if code and "already started" not in said:
                self.module.fail_json(msg=f"supervisorctl {action} {self.name} failed: {said}\n{self.last_words()}")
            if action in {"update", "start", "restart"}:
                self.await_running()

    def await_running(self) -> None:
        """Wait until the program has lived for a second; fail with its log if it keeps dying."""
        deadline = time.monotonic() + 15
        while (status := self.status()) != "RUNNING":
            if time.monotonic() > deadline or status in {"FATAL", ""}:
                self.module.fail_json(msg=f"{self.name} does not stay up ({status or 'unknown'}). {self.last_words()}")
            time.sleep(0.2)

    def last_words(self) -> str:
        """The end of the program's log, for an error message."""
        path = f"{LOGS}/{self.name}.log"
        return f"Its last words ({path}):\n" + "\n".join(read(path).splitlines()[-15:])


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped", "restarted", "absent"], "default": "started"},
            "enabled": {"type": "bool", "default": True},
            "command": {"type": "str"},
            "answers": {"type": "path"},
            "home": {"type": "path", "default": "/opt/kubepy"},
        },
        supports_check_mode=True,
    )
    manager = Systemd(module) if is_systemd() else Supervisor(module)
    actions = manager.plan()
    nothing_to_run = isinstance(manager, Supervisor) and not manager.unit and not module.params["command"]
    if nothing_to_run and "write" in actions and not module.check_mode:
        module.fail_json(msg=f"There is no unit {manager.name}.service in {' or '.join(UNIT_FOLDERS)}")
    if not module.check_mode:
        for action in actions:
            manager.act(action)
    kind = "systemd" if isinstance(manager, Systemd) else "supervisord"
    diff = {"before": "", "after": "".join(f"{action} {manager.name}\n" for action in actions)}
    module.exit_json(changed=bool(actions), manager=kind, actions=actions, diff=diff)


if __name__ == "__main__":
    main()
