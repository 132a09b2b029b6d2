"""test/check-layers on trees made for it: what it finds, what it lets pass, and what it says."""

import os
import shutil
import subprocess

import pytest

from daemon import ROOT

CLEAN = {
    "base/text.h": "int text_length(const char *text);\n",
    "base/text.c": '#include "base/text.h"\n\nint text_length(const char *text)\n'
                   "{\n\treturn text[0];\n}\n",
    "base/parse.h": "int parse_int(const char *text);\n",
    "base/parse.c": '#include "base/parse.h"\n#include "base/text.h"\n\n'
                    "int parse_int(const char *text)\n{\n\treturn text_length(text);\n}\n",
    "event/loop.h": "int loop_run(int (*hook)(const char *));\n",
    "event/loop.c": '#include "event/loop.h"\n#include "base/parse.h"\n\n'
                    "int loop_run(int (*hook)(const char *))\n"
                    '{\n\treturn hook("") + parse_int("");\n}\n',
    "main.c": '#include "event/loop.h"\n#include "base/text.h"\n\n'
              "int main(void)\n{\n\treturn loop_run(text_length);\n}\n",
}


class Tree:
    """Source files, compiled, and what check-layers says of them."""

    def __init__(self, root):
        self.root = str(root)
        self.complaints = ""

    def write(self, files):
        for name, text in files.items():
            path = os.path.join(self.root, "src", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        for name in files:
            if name.endswith(".c"):
                path = os.path.join(self.root, "src", name)
                built = os.path.join(self.root, "build", "obj", name[:-2] + ".o")
                os.makedirs(os.path.dirname(built), exist_ok=True)
                subprocess.run(["cc", "-w", "-I", os.path.join(self.root, "src"), "-c", path,
                                "-o", built], check=True)

    def passes(self, *options):
        """Whether the tree is as it should be."""
        run = subprocess.run([os.path.join(ROOT, "test", "check-layers"), "--root", self.root,
                              *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             check=False)
        self.complaints = run.stderr
        assert run.returncode in (0, 1), run.stderr
        assert (run.returncode == 0) == (run.stderr == ""), run.stderr
        return run.returncode == 0


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Compiled once, for all that change something in it."""
    made = Tree(tmp_path_factory.mktemp("clean"))
    made.write(CLEAN)
    return made.root


@pytest.fixture
def tree(clean, tmp_path):
    return Tree(shutil.copytree(clean, tmp_path / "tree"))


def test_a_clean_tree_passes(tree):
    assert tree.passes(), tree.complaints


def test_an_include_upwards(tree):
    tree.write({"base/text.c": '#include "event/loop.h"\n' + CLEAN["base/text.c"]})
    assert not tree.passes()
    assert tree.complaints == ("check-layers: base must not stand on event: base/text -> "
                               "event/loop by base/text.c includes event/loop.h\n")
    assert tree.passes("--only", "event,main")
    assert not tree.passes("--only", "base")


def test_a_call_upwards_by_an_extern(tree):
    tree.write({"base/text.c": "int loop_run(void *);\n\nint text_length(const char *text)\n"
                               "{\n\treturn loop_run(0);\n}\n"})
    assert not tree.passes()
    assert "base must not stand on event: base/text -> event/loop by loop_run\n" in tree.complaints


def test_a_variable_from_above(tree):
    tree.write({"event/loop.c": "int loop_turns;\n" + CLEAN["event/loop.c"],
                "base/text.c": "extern int loop_turns;\n\nint text_length(const char *text)\n"
                               "{\n\treturn loop_turns;\n}\n"})
    assert not tree.passes()
    assert "base/text -> event/loop by loop_turns\n" in tree.complaints


def test_a_circle_of_includes(tree):
    tree.write({"base/text.h": '#include "base/parse.h"\n'})
    assert not tree.passes()
    assert "base has a circle of 2 files: base/parse base/text\n" in tree.complaints
    assert ("base/parse -> base/text by base/parse.c includes base/text.h, text_length\n"
            in tree.complaints)
    assert "base/text -> base/parse by base/text.h includes base/parse.h\n" in tree.complaints


def test_a_circle_of_calls(tree):
    """No file includes another, and each calls the next one."""
    for i, name in enumerate(("one", "two", "three")):
        following = ("two", "three", "one")[i]
        tree.write({f"base/{name}.c": f"int {following}_go(void);\n\nint {name}_go(void)\n"
                                      f"{{\n\treturn {following}_go();\n}}\n"})
    assert not tree.passes()
    assert tree.complaints == ("check-layers: base has a circle of 3 files: base/one base/three "
                               "base/two\n"
                               "    base/one -> base/two by two_go\n"
                               "    base/three -> base/one by one_go\n"
                               "    base/two -> base/three by three_go\n")
    assert tree.passes("--only", "event")


def test_a_pair_is_one_file(tree):
    """A header and its source do not make a circle, nor do functions of the same file."""
    tree.write({"base/text.h": "int text_length(const char *text);\nint text_more(void);\n",
                "base/text.c": '#include "base/text.h"\n\nint text_more(void)\n{\n'
                               '\treturn text_length("");\n}\n\n'
                               "int text_length(const char *text)\n{\n\treturn text_more();\n}\n"})
    assert tree.passes(), tree.complaints


def test_a_folder_within_a_folder(tree):
    """rpc stands on rpc/transport, not the other way round."""
    tree.write({"rpc/rpc.h": "int rpc_start(void);\n",
                "rpc/rpc.c": '#include "rpc/transport/zap.h"\n\nint rpc_start(void)\n'
                             "{\n\treturn zap_start();\n}\n",
                "rpc/transport/zap.h": "int zap_start(void);\n",
                "rpc/transport/zap.c": '#include "rpc/transport/zap.h"\n\nint zap_start(void)\n'
                                       "{\n\treturn 0;\n}\n"})
    assert tree.passes(), tree.complaints
    tree.write({"rpc/transport/zap.h": '#include "rpc/rpc.h"\nint zap_start(void);\n'})
    assert not tree.passes()
    assert "rpc/transport must not stand on rpc: rpc/transport/zap -> rpc/rpc" in tree.complaints


def test_nobody_stands_on_main(tree):
    tree.write({"main.c": "int daemon_state;\n" + CLEAN["main.c"],
                "event/loop.c": "extern int daemon_state;\n\nint loop_run(void *hook)\n"
                                "{\n\treturn daemon_state;\n}\n"})
    assert not tree.passes()
    assert "event must not stand on main: event/loop -> main by daemon_state" in tree.complaints


def test_a_folder_that_is_not_in_the_table(tree):
    tree.write({"attic/box.h": "int box;\n"})
    assert not tree.passes()
    assert "attic/box: the folder attic is not in the table\n" in tree.complaints


def test_a_source_that_was_not_built(tree):
    os.remove(os.path.join(tree.root, "build", "obj", "base", "text.o"))
    assert not tree.passes()
    assert tree.complaints == "check-layers: base/text.c has no object: build first\n"


def function(lines, head="int text_long(int a,\n              int b)"):
    """A function of so many lines, two of them its head's."""
    return f"/* What for. */\n{head}\n{{\n" + "\ta++;\n" * (lines - 5) + "\treturn a;\n}\n"


def test_a_long_function(tree):
    tree.write({"base/text.c": CLEAN["base/text.c"] + "\n" + function(60)})
    assert tree.passes(), tree.complaints
    tree.write({"base/text.c": CLEAN["base/text.c"] + "\n" + function(61)})
    assert not tree.passes()
    assert tree.complaints == "check-layers: base/text.c:9: text_long has 61 lines of 60\n"
    assert tree.passes("--only", "event")


def test_a_long_table_is_no_function(tree):
    tree.write({"base/text.c": CLEAN["base/text.c"] + "\nconst int table[] = {\n" +
                "\t1,\n" * 100 + "};\n\nstruct box {\n" + "\tint : 1;\n" * 100 + "};\n"})
    assert tree.passes(), tree.complaints


def test_a_long_file(tree):
    tree.write({"base/text.h": CLEAN["base/text.h"] * 601})
    assert not tree.passes()
    assert "base/text.h: 601 lines of 600" in tree.complaints


@pytest.mark.parametrize("file, line, why", [
    ("event/loop.h", "#include <rte_mbuf.h>", "see DPDK"),
    ("vf/vf.h", "#include <rte_vhost.h>", "vhost library"),
    ("vf/vf.h", "#define GET(vid) rte_vhost_get_numa_node(vid)", "vhost library"),
    ("control/control.h", '#include "virtioforwarder.pb-c.h"', "protobuf types"),
    ("rpc/transport/zap.h", None, None),
    ("config/file.h", "#include <jansson.h>", "jansson's types"),
    ("base/text.h", "#define COPY(a, b) strcpy(a, b)", "unbounded or unchecked call"),
    ("base/text.h", "#define COPY(a, b) snprintf(a, 8, b)", None),
])
def test_what_only_some_may_see(tree, file, line, why):
    tree.write({file: (line or "#include <protobuf-c/protobuf-c.h>") + "\n" +
                CLEAN.get(file, "")})
    assert tree.passes() == (why is None), tree.complaints
    if why is not None:
        assert f"{file}:1: " in tree.complaints
        assert why in tree.complaints


def test_a_folder_that_is_not_known_cannot_be_asked_for(tree):
    run = subprocess.run([os.path.join(ROOT, "test", "check-layers"), "--root", tree.root,
                          "--only", "attic"], stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2
    assert "no such folder: attic" in run.stderr
