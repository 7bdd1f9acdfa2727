"""Prints MLflow's REST surface: method and path of each call that its server answers."""

from mlflow.server import app
from mlflow.server.handlers import get_endpoints

calls = {(path, method) for path, _, methods in get_endpoints() for method in methods}
for rule in app.url_map.iter_rules():
    calls |= {(rule.rule, method) for method in rule.methods - {"HEAD", "OPTIONS"}}
# The pages of its own user interface are no calls.
pages = {"/", "/static/<path:filename>", "/static-files/<path:path>", "/build/<path:filename>"}
for path, method in sorted(calls):
    if path not in pages:
        print(f"{method} {path}")
