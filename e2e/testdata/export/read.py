"""Reads an export without Fairlead: read.py DIRECTORY, and prints what it finds."""

import hashlib
import json
import pathlib
import sys

import pandas

top = pathlib.Path(sys.argv[1])
for project in json.loads((top / "manifest.json").read_text())["projects"]:
    root = top / "projects" / project["name"]

    def lines(name):
        return [json.loads(line) for line in (root / name).read_text().splitlines()]

    for f in project["files"]:
        assert hashlib.sha256((root / f["name"]).read_bytes()).hexdigest() == f["sha256"], f
    points = pandas.read_parquet(root / "metrics.parquet")
    assert list(points.dtypes.astype(str)[["step", "timestamp_ms", "value"]]) == ["int64", "int64", "float64"]
    per_run = points.groupby("run_id").size().to_dict()
    for run in lines("runs.jsonl"):
        assert per_run.get(run["id"], 0) == run["points"], run
    of_models = pandas.read_parquet(root / "logged_model_metrics.parquet")
    for file in lines("artifacts.jsonl"):
        content = (root / file["file"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["sha256"], file["bytes"]), file
    print(len(points), "points,", int(points.value.isna().sum()), "of them NaN,", len(of_models), "of models,",
          len(lines("artifacts.jsonl")), "files")
