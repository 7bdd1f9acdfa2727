# Webhooks through the real client: argv is the tracking URI and a receiver's address.
import sys
import mlflow
from mlflow.entities.webhook import WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException

mlflow.set_tracking_uri(sys.argv[1])
client, url = mlflow.MlflowClient(), sys.argv[2]


def refused(code, words, fn, *args, **kw):
    try:
        fn(*args, **kw)
    except MlflowException as e:
        assert e.error_code == code and words in str(e), (code, words, e.error_code, str(e))
        return
    raise AssertionError(f"{fn.__name__} {args} {kw} was not refused")


hook = client.create_webhook("ci", url, ["model_version.created", WebhookEvent("prompt_alias", "deleted")],
                             description="of the build", secret="s3cret")
assert (hook.name, hook.url, hook.description) == ("ci", url, "of the build"), hook
assert hook.status == WebhookStatus.ACTIVE and hook.creation_timestamp > 0, hook
assert [str(e) for e in hook.events] == ["model_version.created", "prompt_alias.deleted"], hook
assert hook.secret is None and repr(client.get_webhook(hook.webhook_id)) == repr(hook)

other = client.create_webhook("off", url, ["prompt.created"], status="DISABLED")
assert other.status == WebhookStatus.DISABLED
assert [h.name for h in client.list_webhooks()] == ["off", "ci"]
page = client.list_webhooks(max_results=1)
assert [h.name for h in page] == ["off"] and page.token
page = client.list_webhooks(max_results=1, page_token=page.token)
assert [h.name for h in page] == ["ci"] and not page.token

changed = client.update_webhook(hook.webhook_id, name="cd", description="", events=["registered_model.created"])
assert (changed.name, changed.description, changed.url) == ("cd", None, url), changed
assert [str(e) for e in changed.events] == ["registered_model.created"]
assert changed.last_updated_timestamp >= hook.last_updated_timestamp

result = client.test_webhook(hook.webhook_id)
assert (result.success, result.response_status, result.response_body) == (True, 200, "thanks"), result
assert client.test_webhook(hook.webhook_id, "prompt_version.created").success
client.update_webhook(hook.webhook_id, url=url + "/fails")
result = client.test_webhook(hook.webhook_id)
assert not result.success and result.response_status == 500 and result.error_message is None, result

bad = "INVALID_PARAMETER_VALUE"
refused(bad, "Webhook name", client.create_webhook, "a b", url, ["prompt.created"])
refused(bad, "scheme", client.create_webhook, "a", "ftp://example.org", ["prompt.created"])
refused(bad, "not a public address", client.create_webhook, "a", "https://169.254.169.254/", ["prompt.created"])
refused(bad, "not a public address", client.update_webhook, hook.webhook_id, url="https://10.0.0.1/")
refused(bad, "max_results", client.list_webhooks, max_results=1001)
client.delete_webhook(other.webhook_id)
refused("RESOURCE_DOES_NOT_EXIST", f"Webhook with ID {other.webhook_id} not found.", client.get_webhook, other.webhook_id)
refused("RESOURCE_DOES_NOT_EXIST", "not found", client.delete_webhook, other.webhook_id)
refused("RESOURCE_DOES_NOT_EXIST", "not found", client.test_webhook, other.webhook_id)
client.delete_webhook(hook.webhook_id)

# What deliveries say.
client.create_webhook("all", url, [
    f"{entity}.{action}" for entity, actions in {
        "registered_model": ["created"], "model_version": ["created"], "model_version_tag": ["set", "deleted"],
        "model_version_alias": ["created", "deleted"], "prompt": ["created"], "prompt_version": ["created"],
        "prompt_tag": ["set", "deleted"], "prompt_version_tag": ["set", "deleted"], "prompt_alias": ["created", "deleted"],
    }.items() for action in actions], secret="s3cret")
client.create_registered_model("wine", {"team": "cellar"}, "of bottles")
client.set_registered_model_tag("wine", "no", "event")
with mlflow.start_run() as run:
    mlflow.log_text("x", "model/MLmodel")
client.create_model_version("wine", f"runs:/{run.info.run_id}/model", run.info.run_id, tags={"a": "b"})
client.set_model_version_tag("wine", "1", "k", "v")
client.delete_model_version_tag("wine", "1", "k")
client.set_registered_model_alias("wine", "best", "1")
client.delete_registered_model_alias("wine", "best")
mlflow.genai.register_prompt("greet", "Hello {{name}}!", commit_message="first", tags={"tone": "kind"})
client.set_prompt_tag("greet", "k", "v")
client.delete_prompt_tag("greet", "k")
client.set_prompt_version_tag("greet", "1", "k", "v")
client.delete_prompt_version_tag("greet", "1", "k")
mlflow.genai.set_prompt_alias("greet", "best", 1)
mlflow.genai.delete_prompt_alias("greet", "best")
print("run", run.info.run_id)
