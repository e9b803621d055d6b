"""The project's rules that a program can check: imports, sizes, traces.

Modules are in tiers, and may import only from lower ones, so that imports run
one way. A new module needs a place in `TIERS`.
"""

import ast
import configparser
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "progan_tf"

COMMANDS = {
    "train",
    "generate",
    "walk",
    "film",
    "project",
    "directions",
    "explore",
    "evaluate",
    "prepare",
    "convert",
}
# From the bottom up. A package, such as data, is one entry.
TIERS = (
    {"errors"},
    {"signals", "text", "threads"},
    {"addresses", "faults", "flag_values"},
    {
        "command",
        "files",
        "losses",
        "pretrained",
        "progress",
        "reading",
        "resolutions",
        "variants",
    },
    {"augmentation", "keras_file", "saved_models", "schedule", "settings"},
    {"architecture", "images", "latents", "layers"},
    {"data", "family"},
    {"config", "networks"},
    {"checkpoint", "metrics", "preparation", "sampling"},
    {"generation", "weights"},
    {"evaluation"},
    {"training"},
    {"trainer"},
    {"explorer"},
    COMMANDS | {"__main__"},
)
RANKS = {name: rank for rank, tier in enumerate(TIERS) for name in tier}

# Modules that other tools read before TensorFlow or Keras is there.
PURE = (
    "architecture",
    "augmentation",
    "command",
    "config",
    "config.report",
    "config.resume",
    "evaluate",
    "evaluation.evaluation",
    "film",
    "generate",
    "generation.array_files",
    "generation.films",
    "generation.walks",
    "latents",
    "losses",
    "prepare",
    "preparation.inspection",
    "progress",
    "reading",
    "schedule",
    "text",
    "train",
    "walk",
)


def project_files(*suffixes):
    """Paths of the files that are, or would be, under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout, so its files are not known")
    names = [n for n in listed.stdout.decode().split("\0") if n]
    paths = [ROOT / name for name in names]
    return [p for p in paths if p.suffix in suffixes and p.is_file()]


def imported_modules(tree):
    """Full names of everything that a module imports, wherever it does."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports must be absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(path):
    """The entry of `TIERS` that a file of the package belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def arrows():
    """(file, its part, the part it imports) for imports in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in imported_modules(ast.parse(path.read_text())):
            top, _, rest = name.partition(".")
            if top == PACKAGE.name and path != PACKAGE / "__init__.py":
                yield path, part_of(path), rest.split(".")[0]


def test_every_module_has_a_tier():
    parts = {part_of(path) for path in PACKAGE.rglob("*.py")}
    assert parts - {"__init__"} <= RANKS.keys()


def test_arrows_run_one_way():
    known = [arrow for arrow in arrows() if {*arrow[1:]} <= RANKS.keys()]
    wrong = [
        f"{path.relative_to(ROOT)} imports {target}"
        for path, source, target in known
        if source != target and RANKS[target] >= RANKS[source]
    ]
    assert not wrong


def test_nothing_imports_export_or_a_command():
    # But `convert`, which writes what `export` does, and the explorer, which
    # shows it.
    may = {(part, "export") for part in ("convert", "explore", "explorer")}
    targets = {
        target for _, source, target in arrows() if (source, target) not in may
    }
    assert not targets & (COMMANDS | {"export"})
    # A check of the check: known arrows are seen.
    assert {"schedule", "errors"} <= targets


@pytest.mark.parametrize(("words", "status"), [([], 0), (["train"], 2)])
def test_the_package_tells_its_commands(words, status):
    done = subprocess.run(
        [sys.executable, "-m", "progan_tf", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    pattern = r"^  python -m progan_tf\.(\w+) +\S"
    assert set(re.findall(pattern, done.stdout, re.M)) == {*COMMANDS, "export"}
    assert done.returncode == status


def test_layers_know_only_keras():
    paths = list((PACKAGE / "layers").glob("*.py"))
    trees = [ast.parse(path.read_text()) for path in paths]
    names = {name for tree in trees for name in imported_modules(tree)}
    own = {name for name in names if name.startswith("progan_tf.layers.")}
    tops = {name.split(".")[0] for name in names - own}
    assert "keras" in tops
    # NumPy is what Keras itself computes constants with, on every backend.
    assert tops - sys.stdlib_module_names <= {"keras", "numpy"}


def test_pure_modules_load_neither_keras_nor_tensorflow():
    imports = "; ".join(f"import progan_tf.{name}" for name in PURE)
    check = "import sys; print(*{'keras', 'tensorflow'} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", f"import progan_tf; {imports}; {check}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == []


def test_public_names_exist():
    text = (PACKAGE / "__init__.py").read_text()
    homes = next(
        ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_HOMES"
    )
    for home, names in homes.items():
        module = PACKAGE / f"{home}.py"
        if not module.exists():
            module = PACKAGE / home / "__init__.py"
        tree = ast.parse(module.read_text())
        defined = {getattr(node, "name", None) for node in tree.body}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                defined |= {alias.name for alias in node.names}
        for node in tree.body:
            if isinstance(node, ast.Assign):
                defined |= {getattr(t, "id", None) for t in node.targets}
        assert set(names) <= defined, home


def test_setup_lists_every_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    folders = {path.parent for path in PACKAGE.rglob("__init__.py")}
    present = {".".join(f.relative_to(ROOT).parts) for f in folders}
    if (ROOT / "export").is_dir():
        present.add("progan_tf.export")
    assert listed == present


def test_files_and_functions_stay_short():
    long = []
    for path in project_files(".py"):
        text = path.read_text()
        limit = 120 if part_of_command(path) else 400
        if len(text.splitlines()) > limit:
            long.append(f"{path.name}: over {limit} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if node.end_lineno - node.lineno >= 80:
                    long.append(f"{path.name}: {node.name}: over 80 lines")
    assert not long


def part_of_command(path):
    return path.parent == PACKAGE and path.stem in COMMANDS


def test_no_file_names_a_registry_or_somebodys_folder():
    # Package sources are the user's own choice, made in pip's settings. The
    # words are put together so that this file does not contain them.
    registries = ["pypi" + ".org", "python" + "hosted", "index" + "-url"]
    folders = ["/" + name + "/" for name in ("work", "root", "home", "Users")]
    words = "|".join(map(re.escape, registries + folders))
    # A folder at the start of a path, not in the middle of an address.
    pattern = re.compile(rf"(?<![\w./-])(?:\S*\.)?({words})")
    suffixes = (".py", ".md", ".cfg", ".toml", ".ipynb", ".txt", "")
    found = [
        f"{path.relative_to(ROOT)}: {match.group(1)}"
        for path in project_files(*suffixes)
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert not found
