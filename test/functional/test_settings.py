"""Settings that change while the daemon runs: by SIGHUP from the file, and by clients."""

import os
import signal

import pytest

import wire_client as wire
from patience import wait_for


@pytest.fixture
def conf(directory):
    """write(*lines): the configuration file; its path is write.path."""

    def write(*lines):
        with open(write.path, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        return write.path

    write.path = os.path.join(directory, "virtioforwarder")
    return write


@pytest.fixture
def hangup(daemon):
    """hangup(): SIGHUP; returns what has been logged about it."""

    def send():
        begin = len(daemon.log_text())
        daemon.process.send_signal(signal.SIGHUP)
        return wait_for(
            lambda: "log reopened" in daemon.log_text()[begin:] and daemon.log_text()[begin:], 5, "the reload")

    return send


# --- SIGHUP --------------------------------------------------------------------------------------


def test_what_can_be_changed_is_changed_and_logged(daemon, conf, hangup):
    daemon.start(f"--config={conf('VIO4WD_CORE_SCHED_ENABLE=true')}")
    conf("VIRTIOFWD_LOG_LEVEL=7", "VIO4WD_CORE_SCHED_SENSITIVITY=0.5")
    log = hangup()
    assert f"VIRTIOFWD_LOG_LEVEL (--loglevel) is 7 now, and was 6: changed by {conf.path}" in log
    assert "VIO4WD_CORE_SCHED_ENABLE is off now, and was on" in log
    assert "VIO4WD_CORE_SCHED_SENSITIVITY (--core-sched-sensitivity) is 0.5 now, and was 0.25" in log
    assert "log reopened, level 7" in log and "restart" not in log
    assert " now, and was " not in hangup(), "nothing has changed since"


def test_what_cannot_is_named_in_one_line(daemon, conf, hangup):
    daemon.start(f"--config={conf('VIRTIOFWD_MRGBUF=y')}")
    conf("VIRTIOFWD_JUMBO=y", "VIRTIOFWD_LOG_LEVEL=7", "VIRTIOFWD_NEW=1")
    log = hangup()
    waits = [line for line in log.splitlines() if "waits for a restart" in line]
    assert len(waits) == 1 and " WARNING " in waits[0]
    assert "VIRTIOFWD_JUMBO (--enable-jumbo), VIRTIOFWD_MRGBUF (--enable-mrgbuf)" in waits[0]
    assert "unknown variable VIRTIOFWD_NEW" in log, "what is new is warned about"
    assert "level 7" in log, "the rest is taken"


@pytest.mark.parametrize("line, says", [
    ("VIRTIOFWD_LOG_LEVEL=loud", 'VIRTIOFWD_LOG_LEVEL: "loud"'),
    ("VIRTIOFWD_LOG_LEVEL=7 $(reboot)", "there is more behind the value"),
    ("VIRTIOFWD_STATIC_VFS=nonsense", "VIRTIOFWD_STATIC_VFS"),
    ("\0", "control character"),
])
def test_a_broken_file_changes_nothing_and_says_why(daemon, conf, hangup, line, says):
    daemon.start(f"--config={conf('VIRTIOFWD_LOG_LEVEL=6')}")
    conf("VIO4WD_CORE_SCHED_SENSITIVITY=0.5", line)
    log = hangup()
    assert f"nothing is changed, since the configuration cannot be used: {conf.path}:2: " in log
    assert says in log and "is 0.5 now" not in log and "level 6" in log
    os.unlink(conf.path)
    assert "nothing is changed" in hangup()
    conf("VIO4WD_CORE_SCHED_SENSITIVITY=0.5")
    assert "is 0.5 now" in hangup(), "mended"


def test_the_command_line_beats_the_file_then_too(daemon, conf, hangup):
    daemon.start(f"--config={conf('VIRTIOFWD_LOG_LEVEL=6')}", "--loglevel=5", "--core-sched-sensitivity=0.1")
    conf("VIRTIOFWD_LOG_LEVEL=7", "VIO4WD_CORE_SCHED_SENSITIVITY=0.5")
    log = hangup()
    assert "level 5" in log and " now" not in log
    # ... and without a file SIGHUP changes nothing.
    daemon.stop()
    daemon.start("--loglevel=7")
    assert "level 7" in hangup()


# --- clients -------------------------------------------------------------------------------------


@pytest.fixture
def running(daemon):
    daemon.cpus = "1,2"
    daemon.config_ep = f"ipc://{daemon.dir}/config"
    return daemon.start(f"--zmq-config-ep={daemon.config_ep}", f"--zmq-core-sched-ep=ipc://{daemon.dir}/core_sched")


def change(running, *fields):
    return wire.config(running.config_ep, b"".join(fields))


def test_settings_are_told_to_those_who_ask(running):
    assert change(running).settings is None, "those who know nothing of them are spared"
    settings = change(running, wire.field(100, 1)).settings
    assert (settings.log_level, settings.balancer, settings.balancer_sensitivity) == (6, 0, 0.25)
    assert (settings.balancer_interval_s, settings.balancer_log_level, settings.balancer_global_numa) == (5, 6, 0)


def test_clients_change_settings(running):
    answer = change(running, wire.field(101, 7), wire.field(102, 1), wire.double_field(103, 0.75))
    assert answer.status == wire.CONFIG_OK
    settings = answer.settings
    assert (settings.log_level, settings.balancer, settings.balancer_sensitivity) == (7, 1, 0.75)
    log = running.log_text()
    assert "VIRTIOFWD_LOG_LEVEL (--loglevel) is 7 now, and was 6: changed by a client" in log
    assert "VIO4WD_CORE_SCHED_ENABLE is on now, and was off: changed by a client" in log
    assert "is 0.75 now, and was 0.25: changed by a client" in log
    before = len(log)
    assert change(running, wire.field(101, 7)).status == wire.CONFIG_OK
    assert "VIRTIOFWD_LOG_LEVEL" not in running.log_text()[before:], "it is 7 already"


@pytest.mark.parametrize("fields, says", [
    ([wire.field(102, 1), wire.field(101, 8)], "loglevel is 8, which is not a number from 0 to 7"),
    ([wire.field(101, 0), wire.double_field(103, 1.5)], "sensitivity is 1.5, which is not a number from 0 to 1"),
    ([wire.field(101, 0), wire.double_field(103, float("nan"))], "is not a number from 0 to 1"),
    ([wire.field(101, 0), wire.double_field(103, -1)], "is not a number from 0 to 1"),
])
def test_one_bad_setting_refuses_the_whole(running, fields, says):
    answer = change(running, *fields)
    assert answer.status == wire.EBADR and says in answer.error_text
    settings = change(running, wire.field(100, 1)).settings
    assert (settings.log_level, settings.balancer, settings.balancer_sensitivity) == (6, 0, 0.25)
