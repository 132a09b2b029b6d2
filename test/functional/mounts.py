"""Mounts that one process has, and nobody else."""

SCRIPT = """
while [ "$1" != -- ]; do
    mount -t "$1" -o "$2" none "$3" || exit 99
    shift 3
done
shift
exec "$@"
"""


def private(mounts):
    """What a command is begun with to have these, (type, options, directory) each; it stays the same
    process. With none of them nothing."""
    if not mounts:
        return []
    words = [word for mount in mounts for word in mount]
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", SCRIPT, "sh", *words, "--"]
