"""The tutorial's model, LiteLLM, against an OpenAI-compatible server on this machine."""

import pytest
from strands.models.litellm import LiteLLMModel

from handoffs.strands import ScriptedModel, tutorial_model
from tests.strands.openai_stub import OpenAiStub
from tests.strands.programs import Home, answers, nobody

# Of LiteLLM's own making.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

KEY = "a-key-for-tests"
NAME = "nebius/deepseek-ai/DeepSeek-V3-0324"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEBIUS_API_KEY", "HANDOFFS_MODEL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def litellm(stub: OpenAiStub) -> LiteLLMModel:
    return LiteLLMModel(client_args={"api_key": KEY, "api_base": stub.url}, model_id=NAME)


def test_a_model_that_asks_is_sent_the_answer_and_nothing_an_api_refuses(home: Home) -> None:
    with OpenAiStub([("handoff_to_user", {"message": "Which region?"})], "Deploying to eu-north1.") as stub:
        with home.agent(person=answers("eu-north1"), model=litellm(stub)) as agent:
            result = agent("Deploy!")
    assert str(result).strip() == "Deploying to eu-north1."
    assert [body["model"] for body in stub.requests] == ["deepseek-ai/DeepSeek-V3-0324"] * 2
    assert stub.keys == [f"Bearer {KEY}"] * 2
    asked, answered = stub.requests[1]["messages"][-2:]
    assert answered["role"] == "tool"
    assert answered["tool_call_id"] == asked["tool_calls"][0]["id"]
    assert "eu-north1" in str(answered["content"])


def test_a_model_is_sent_the_answer_to_a_direct_call(home: Home) -> None:
    with OpenAiStub("I know.") as stub, home.agent(person=answers("eu-north1"), model=litellm(stub)) as agent:
        agent.tool.handoff_to_user(message="Which region?")
        agent("Go on")
    (answered,) = [m for m in stub.requests[0]["messages"] if m["role"] == "tool"]
    assert "eu-north1" in str(answered["content"])


def test_a_breakout_costs_exactly_one_request(home: Home) -> None:
    hand_over = ("handoff_to_user", {"message": "Over to you.", "breakout_of_loop": True})
    with OpenAiStub([hand_over], "I was called again") as stub:
        with home.agent(person=nobody, model=litellm(stub)) as agent:
            result = agent("Finish!")
            assert (result.stop_reason, len(stub.requests)) == ("cancelled", 1)
            assert result.state["handoff"]["toolUseId"].startswith("call_")


def test_without_a_key_the_tutorials_model_says_so_and_is_scripted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert isinstance(tutorial_model("Hello."), ScriptedModel)
    said = capsys.readouterr().out.strip()
    assert "NEBIUS_API_KEY" in said
    assert len(said.splitlines()) == 1


def test_with_a_key_it_is_the_tutorials_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEBIUS_API_KEY", KEY)
    model = tutorial_model("Hello.")
    assert isinstance(model, LiteLLMModel)
    assert model.get_config().get("model_id") == NAME
    assert model.client_args == {"api_key": KEY}


def test_handoffs_model_names_any_other_model_and_its_own_key_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HANDOFFS_MODEL", "openai/gpt-4o-mini")
    monkeypatch.setenv("NEBIUS_API_KEY", KEY)
    assert isinstance(tutorial_model("Hello."), ScriptedModel)
    assert "OPENAI_API_KEY" in capsys.readouterr().out
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = tutorial_model("Hello.")
    assert isinstance(model, LiteLLMModel)
    assert model.get_config().get("model_id") == "openai/gpt-4o-mini"
