"""What a run folder tells of a training, for a model card.

What the folder does not tell is not guessed.
"""

import json
import os
import re
from pathlib import Path

from speechbrain_semamba.evaluation import train_log
from speechbrain_semamba.evaluation.reports import read_scores
from speechbrain_semamba.evaluation.summary import summarize
from speechbrain_semamba.evaluation.summary_text import (
    missing_scores,
    summary_tables,
    table_rows,
)
from speechbrain_semamba.utils.settings import flatten

SCORES, RECORD = "test_scores.csv", "run_record.json"
#: Folders that a run makes itself
OWN = {"output_folder", "model_folder", "prepare_folder"}
#: What is shown of those that a run's result does not depend on
RUN_OPTIONS = "processes", "grad_accumulation_factor"
#: What is shown of settings inside others
INNER = "generator.", "discriminator.", "stft.", "loss_weights."
#: SpeechBrain's copy of a yaml names it in its second line
SOURCE = re.compile(r"# Generated .*\n# (\S.*\.ya?ml)\n")


def describe_run(run_folder, settings, meta):
    """What is known of a training run.

    Arguments
    ---------
    run_folder : pathlib.Path
        The recipe's ``output_folder``.
    settings : dict
        Of its ``hyperparams.yaml``, as ``read_settings`` reads it.
    meta : dict
        What the exported checkpoint's maker wrote with it.

    Returns
    -------
    text : str
        Markdown.
    metrics : list of str
        Names of the scores that the text has.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> text, _ = describe_run(folder, {"lr": 0.1}, {"epoch": 3})
    >>> [line for line in text.splitlines() if "epoch" in line or "lr" in line]
    ['| weights of epoch | 3 |', 'lr: 0.1']
    """
    flat = _as_recorded(flatten(settings), run_folder)
    log = train_log.TrainLog({}, [])
    if (run_folder / train_log.NAME).is_file():
        log = train_log.read_train_log(run_folder / train_log.NAME)
    facts = {**_facts(flat, log, meta), **_data(run_folder, flat)}
    rows = [f"| {key} | {value} |" for key, value in facts.items()]
    scores, metrics = _scores(run_folder, log, meta)
    parts = [
        "## Training",
        "\n".join(["| | |", "|---|---|", *rows]),
        "In the recipe's folder, with the settings below:",
        _commands(run_folder, flat),
        f"<details>\n<summary>Settings</summary>\n\n{_shown(flat)}\n\n"
        "</details>",
        "## Scores",
        scores,
    ]
    return "\n\n".join(parts), metrics


def _as_recorded(flat, run_folder):
    """Settings as in the run's record, the last ones where they changed.

    SpeechBrain's run options, such as ``precision``, are true there alone.
    """
    try:
        record = json.loads((run_folder / RECORD).read_text(encoding="utf-8"))
        changing = {}
        for entry in record["may_change"]:
            changing.update(entry["settings"])
        told = {k: v for k, v in changing.items() if k in {*flat, *RUN_OPTIONS}}
        return {**flat, **record["fixed"], **told}
    except (OSError, ValueError, KeyError, TypeError):
        return flat


def _facts(flat, log, meta):
    found = {"weights of epoch": meta.get("epoch", "not recorded")}
    if "number_of_epochs" in flat:
        found["epochs asked for"] = flat["number_of_epochs"]
    logged = log.epochs.get(meta.get("epoch"), {})
    for name in ("valid pesq", "valid stoi"):
        if name in logged:
            stage, score = name.split()
            found[f"{score.upper()} in validation"] = logged[name]
    found["duration, hardware"] = "not recorded"
    return found


def _data(run_folder, flat):
    """Files and minutes of each set, of the manifests."""
    found = {}
    for name in ("train", "valid", "test"):
        path = Path(str(flat.get(f"{name}_json", "")))
        # the run folder may have been moved
        places = run_folder / path.name, path
        there = [place for place in places if place.is_file()]
        found[f"{name} files"] = _amount(there[0]) if there else "not recorded"
    return found


def _amount(manifest):
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8")).values()
        seconds = sum(float(entry["length"]) for entry in entries)
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"not known, {manifest.name} is damaged"
    return f"{len(entries)}, {seconds / 60:.1f} minutes"


def _commands(run_folder, flat):
    """How it was trained, without the paths of the machine."""
    copy = run_folder / "hyperparams.yaml"
    source = None
    if copy.is_file():
        text = copy.read_text(encoding="utf-8", errors="replace")
        source = SOURCE.match(text)
    name = "HPARAMS.yaml"
    if source:
        name = "/".join(Path(source[1].replace("\\", "/")).parts[-2:])
    given = [
        key
        for key, value in flat.items()
        if key not in OWN
        and "." not in key
        and (key.endswith("_folder") or key.startswith("pretrained_"))
        and isinstance(value, str)
        and value
    ]
    options = "".join(f" --{key}={key.upper()}" for key in given)
    return (
        f"```\npython train.py {name}{options}\n"
        "semamba export OUTPUT_FOLDER model\n```"
    )


def _shown(flat):
    lines = [
        f"{key}: {value}"
        for key, value in flat.items()
        if ("." not in key or key.startswith(INNER)) and _is_plain(key, value)
    ]
    return "\n".join(["```yaml", *lines, "```"])


def _is_plain(key, value):
    """A number or word that tells nothing of the machine."""
    if not isinstance(value, str):
        return value is not None
    is_path = key.endswith("_folder") or os.sep in value or "\\" in value
    is_node = value.startswith(("!", "<")) and not value.startswith("!tuple")
    return bool(value) and not is_path and not is_node


def _scores(run_folder, log, meta):
    """The test's table, if it is of this checkpoint."""
    path = run_folder / SCORES
    if not path.is_file():
        return "None: the run has not scored its test files.", []
    if not log.tests:
        return f"None: which epoch {SCORES} of the run is of is not known.", []
    tested, _ = log.tests[-1]
    if tested != meta.get("epoch"):
        return f"None: the run's last test was of epoch {tested}.", []
    try:
        scores = read_scores(path)
        kinds = [k for k in ("noisy", "enhanced") if k in _first(scores)]
        summary = summarize(scores, kinds)
    except (ValueError, KeyError, IndexError):
        return f"None: {SCORES} of the run is damaged.", []
    table = summary_tables(summary)[0]
    parts = [f"{table.title}. {table.note}", table_rows(table)]
    parts += [f"- {line}" for line in missing_scores(summary)]
    return "\n\n".join(parts), summary["metrics"]


def _first(scores):
    return next(iter(scores.values()), {})
