"""Where a service should go, from what is known of it."""

from dataclasses import replace

from kubepy_service import Unit, parse_show, parse_unit, plan_supervisor, plan_systemd, render_program, seconds

RUNS = Unit(loaded=True, active=True, enabled=True, stale=False, ours=True)
NEW = Unit(loaded=False, active=False, enabled=False, stale=False, ours=False)


def test_a_new_unit_is_read_enabled_and_started() -> None:
    assert plan_systemd(NEW, state="started", enabled=True, has_file=True) == ["daemon-reload", "enable", "start"]


def test_a_unit_that_runs_is_left_alone() -> None:
    assert plan_systemd(RUNS, state="started", enabled=True, has_file=True) == []


def test_a_changed_unit_is_read_again_before_the_restart() -> None:
    stale = replace(RUNS, stale=True)
    assert plan_systemd(stale, state="restarted", enabled=True, has_file=True) == ["daemon-reload", "restart"]


def test_a_unit_that_overrides_that_of_a_package_is_read_before_the_restart() -> None:
    of_package = replace(RUNS, ours=False)
    assert plan_systemd(of_package, state="restarted", enabled=True, has_file=True) == ["daemon-reload", "restart"]
    assert plan_systemd(of_package, state="restarted", enabled=True, has_file=False) == ["restart"]


def test_an_absent_unit_is_stopped_before_its_file_goes() -> None:
    actions = plan_systemd(RUNS, state="absent", enabled=True, has_file=True)
    assert actions == ["stop", "disable", "remove", "daemon-reload"]


def test_a_service_that_is_gone_stays_gone() -> None:
    assert plan_systemd(NEW, state="absent", enabled=True, has_file=False) == []


def test_what_systemctl_shows_is_understood() -> None:
    shown = "LoadState=loaded\nActiveState=activating\nUnitFileState=enabled\nNeedDaemonReload=yes\n"
    shown += "FragmentPath=/etc/systemd/system/etcd.service\n"
    assert parse_show(shown) == replace(RUNS, stale=True)
    assert not parse_show("FragmentPath=/lib/systemd/system/etcd.service\n").ours


def test_a_unit_becomes_a_program_with_its_user_environment_and_restart_rule() -> None:
    unit = parse_unit(
        "[Unit]\nDescription=x\n[Service]\nUser=etcd\nEnvironment=A=1 B=2\nRestart=always\nKillMode=process\n"
        "ExecStart=/usr/bin/thing \\\n  --rate=50% \\\n  --on\nTimeoutStopSec=2min\n[Install]\nWantedBy=x\n"
    )
    lines = render_program("thing", unit).splitlines()
    assert "command=/usr/bin/thing --rate=50%% --on" in lines
    assert {"user=etcd", 'environment=A="1",B="2"', "autorestart=true", "stopwaitsecs=120"} <= set(lines)
    assert {"stopasgroup=false", "killasgroup=false"} <= set(lines)


def test_a_command_replaces_the_one_that_needs_systemd() -> None:
    unit = parse_unit("[Service]\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n")
    assert "command=/usr/sbin/dockerd\n" in render_program("docker", unit, command="/usr/sbin/dockerd")


def test_an_empty_assignment_clears_earlier_ones() -> None:
    assert parse_unit("[Service]\nExecStart=/a\nExecStart=\nExecStart=/b\n")["ExecStart"] == ["/b"]


def test_a_changed_program_is_written_and_loaded_whatever_the_wish() -> None:
    assert plan_supervisor(state="started", wanted="b", written="a", running=True) == ["write", "update"]
    assert plan_supervisor(state="restarted", wanted="b", written="", running=False) == ["write", "update"]


def test_an_unchanged_program_is_only_started_or_restarted() -> None:
    assert plan_supervisor(state="started", wanted="a", written="a", running=True) == []
    assert plan_supervisor(state="started", wanted="a", written="a", running=False) == ["start"]
    assert plan_supervisor(state="restarted", wanted="a", written="a", running=True) == ["restart"]
    assert plan_supervisor(state="absent", wanted="a", written="a", running=True) == ["stop", "remove"]


def test_time_spans_are_seconds() -> None:
    assert [seconds(text) for text in ("90", "90s", "1.5min")] == [90, 90, 90]
