"""Prints all that the client reads from a store: dump.py URI.

Left out is what no two stores agree on: where files are, the ids of experiments, the
times of the default one, that a store of files has some points twice and infinities as
such, and that MLflow's database turns a logged model's NaN into 0.
"""

import hashlib
import json
import os
import pathlib
import sys
import tempfile

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()


def files(uri, there=True):
    if not there:
        return {}
    try:
        top = pathlib.Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=tempfile.mkdtemp()))
    except Exception:
        return {}
    return {str(p.relative_to(top)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in top.rglob("*") if p.is_file()}


def number(v):
    return repr(max(min(v, sys.float_info.max), -sys.float_info.max) if v == v else v)


def pairs(d):
    return sorted(d.items())


out = {}
exps = {e.experiment_id: e for e in client.search_experiments(view_type=ViewType.ALL)}
for e in exps.values():
    out["experiment " + e.name] = [e.lifecycle_stage, pairs(e.tags), e.name == "Default" or e.creation_time]
for found in client.search_runs(list(exps), run_view_type=ViewType.ALL):
    r = client.get_run(found.info.run_id)
    i, d = r.info, r.data
    out["run " + i.run_id] = [
        exps[i.experiment_id].name, i.run_name, i.status, i.lifecycle_stage, i.start_time, i.end_time,
        i.user_id, pairs(d.params), pairs(d.tags), [(k, number(v)) for k, v in pairs(d.metrics)],
        {k: sorted({(m.step, m.timestamp, number(m.value)) for m in client.get_metric_history(i.run_id, k)})
         for k in d.metrics},
        [[x.dataset.name, x.dataset.digest, x.dataset.source, x.dataset.source_type, x.dataset.schema,
          x.dataset.profile, [(t.key, t.value) for t in x.tags]] for x in r.inputs.dataset_inputs],
        [x.model_id for x in r.inputs.model_inputs], [(o.model_id, o.step) for o in (r.outputs.model_outputs if r.outputs else [])],
        files(i.artifact_uri, i.lifecycle_stage == "active")]
for m in client.search_logged_models([k for k, e in exps.items() if e.lifecycle_stage == "active"]):
    out["logged model " + m.model_id] = [
        m.name, m.source_run_id, m.model_type or "", str(m.status), m.creation_timestamp,
        m.last_updated_timestamp, pairs(m.tags), pairs(m.params),
        sorted((x.key, number(x.value), x.timestamp, x.step, x.run_id, x.dataset_name or "",
                x.dataset_digest or "") for x in m.metrics or [] if not x.key.startswith("nan")),
        files("models:/" + m.model_id)]
for m in client.search_registered_models():
    out["model " + m.name] = [m.description or "", pairs(m.tags), [(k, int(v)) for k, v in pairs(m.aliases)],
                              m.creation_timestamp, m.last_updated_timestamp]
for found in client.search_model_versions():
    v = client.get_model_version(found.name, found.version)
    out[f"version {v.name}/{v.version}"] = [
        v.description or "", v.run_id, v.current_stage, v.status, pairs(v.tags), v.creation_timestamp,
        v.last_updated_timestamp, sorted(v.aliases), v.source, files(f"models:/{v.name}/{v.version}")]
print(json.dumps(out, sort_keys=True, indent=1))
