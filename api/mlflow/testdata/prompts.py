"""Prompts by the real client."""

import sys

import mlflow

mlflow.set_tracking_uri(sys.argv[1])
mlflow.genai.register_prompt("greet", "Hello {{name}}", commit_message="first", tags={"lang": "en"})
second = mlflow.genai.register_prompt("greet", "Dear {{name}}")
assert second.version == 2
mlflow.genai.set_prompt_alias("greet", "formal", 2)
assert mlflow.genai.load_prompt("prompts:/greet@formal").format(name="Ann") == "Dear Ann"
assert mlflow.genai.load_prompt("greet", version=1).template == "Hello {{name}}"
assert mlflow.genai.load_prompt("greet").version == 2
mlflow.genai.delete_prompt_alias("greet", "formal")
chat = [{"role": "user", "content": "Say {{what}}"}]
mlflow.genai.register_prompt("chat", chat)
assert mlflow.genai.load_prompt("chat").template == chat
assert {p.name for p in mlflow.genai.search_prompts()} == {"greet", "chat"}
assert [p.name for p in mlflow.genai.search_prompts("name = 'greet'")] == ["greet"]
mlflow.genai.set_prompt_tag("greet", "team", "a")
assert mlflow.genai.get_prompt_tags("greet")["team"] == "a"
mlflow.genai.delete_prompt_tag("greet", "team")
mlflow.genai.set_prompt_version_tag("greet", 1, "ok", "yes")
assert mlflow.genai.load_prompt("greet", version=1).tags["ok"] == "yes"
mlflow.genai.delete_prompt_version_tag("greet", 1, "ok")
client = mlflow.MlflowClient()
assert len(client.search_prompt_versions("greet")) == 2
assert client.search_registered_models() == []
assert mlflow.genai.load_prompt("absent", allow_missing=True) is None
with mlflow.start_run():
    mlflow.genai.load_prompt("greet")
client.delete_prompt_version("greet", "1")
print("prompts")
