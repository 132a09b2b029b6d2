"""What `make install` puts where, and the completion that bash gets from it."""

import os
import re
import subprocess

import pytest

from daemon import BINARY, ROOT

SCRIPTS = ("config", "core_pinner", "core_scheduler", "monitor_load", "port_control", "stats")


@pytest.mark.parametrize("directory", ["lib", "lib64"])
def test_scripts_are_where_callers_look(installed, directory):
    """Both folders, wherever the tree stands: the link must not lead out of it."""
    scripts = os.path.join(installed, "usr", directory, "virtio-forwarder")
    for script in SCRIPTS:
        path = os.path.join(scripts, f"virtioforwarder_{script}.py")
        done = subprocess.run([path, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.startswith("usage: "), done.stderr
    subprocess.run(
        ["/usr/bin/python3", "-c", "from virtioforwarder import virtioforwarder_pb2"],
        check=True,
        env={"PYTHONPATH": os.path.join(scripts, "protobuf")},
    )
    assert os.path.realpath(scripts).startswith(installed)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_have_manual_pages(installed, script):
    """They are made of --help: all of it is there, and man has nothing to complain of."""
    name = f"virtioforwarder_{script}"
    page = os.path.join(installed, f"usr/share/man/man8/{name}.8")
    done = subprocess.run(
        ["man", "--warnings", "--local-file", page],
        capture_output=True,
        text=True,
        env={**os.environ, "MANWIDTH": "10000", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    helped = subprocess.run(
        [os.path.join(installed, f"usr/lib/virtio-forwarder/{name}.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "10000"},
    )
    text = " ".join(done.stdout.split())
    for line in helped.stdout.splitlines()[1:]:
        words = " ".join(line.split()).removesuffix(":")
        heading = line.endswith(":") and line[0] != " "
        if heading or line == helped.stdout.splitlines()[2]:  # and the line of the name
            assert words.rstrip(".").lower() in text.lower() or "positional" in words
        else:
            assert words in text
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
        assert f"\n{section}\n" in done.stdout
    assert f"NAME {name}.py - " in text


def test_an_edited_configuration_stays(installed):
    path = os.path.join(installed, "etc/default/virtioforwarder")
    with open(path, "a", encoding="utf-8") as file:
        file.write("# edited\n")
    subprocess.run(
        ["make", "-C", ROOT, "install", f"DESTDIR={installed}", "PREFIX=/usr"],
        check=True,
        capture_output=True,
    )
    with open(path, encoding="utf-8") as file:
        assert file.read().endswith("# edited\n")


def complete(installed, *words):
    """What bash would offer for the last of the words."""
    script = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
        ' _virtio_forwarder "$1"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    completion = os.path.join(installed, "usr/share/bash-completion/completions/virtio-forwarder")
    done = subprocess.run(
        ["bash", "-euc", script, "bash", completion, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stderr == "" and done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_option_is_completed(installed):
    with open(os.path.join(ROOT, "src/config/schema.c"), encoding="utf-8") as file:
        options = re.findall(r'\.option = "([a-z-]+)"', file.read())
    assert len(options) > 30
    offered = complete(installed, BINARY, "--")
    # --man is for the build alone
    assert sorted(offered) == sorted(f"--{name}" for name in options if name != "man")
    assert complete(installed, BINARY, "--core-sched-s") == ["--core-sched-sensitivity"]


def test_values_are_completed(installed):
    assert complete(installed, BINARY, "--config", "=", "conf/v") == ["conf/virtioforwarder"]
    assert complete(installed, BINARY, "--config", "conf/v") == ["conf/virtioforwarder"]
    assert complete(installed, BINARY, "--pid-path", "=", "sr") == ["src"]
    assert complete(installed, BINARY, "--loglevel", "=") == list("01234567")
    assert complete(installed, BINARY, "--vhost-username", "=", "roo") == ["root"]
    # its value may be left out, so a word of its own is none
    assert complete(installed, BINARY, "--vhost-username", "roo") == []


def test_scripts_are_completed(installed):
    script = os.path.join(installed, "usr/lib64/virtio-forwarder/virtioforwarder_")
    assert complete(installed, f"{script}port_control.py", "") == [
        "add",
        "remove",
        "add_sock",
        "remove_sock",
        "query_pci",
    ]
    assert complete(installed, f"{script}port_control.py", "add", "--vh") == ["--vhost-path"]
    assert complete(installed, f"{script}stats.py", "--output-format", "f") == ["flat"]
    for name in SCRIPTS:
        link = f"usr/share/bash-completion/completions/virtioforwarder_{name}.py"
        assert os.path.exists(os.path.join(installed, link))
