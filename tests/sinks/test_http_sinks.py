"""Webhook and Frigate against a server on this machine that fails, is slow, and recovers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from loopback import free_port, http_receiver, life
from vadkit_frigate_sink import FrigateSink
from vadkit_webhook_sink import WebhookSink

from vadkit import VadkitError
from vadkit.sinks import SinkError
from vadkit.testing import check_component


@pytest.mark.parametrize("cls", [WebhookSink, FrigateSink])
def test_contract(cls: type[Any]) -> None:
    assert not check_component(cls).not_run


def hook(tmp_path: Path, **args: Any) -> WebhookSink:
    sink = WebhookSink(**args)
    sink.open(tmp_path)
    return sink


# -- webhook ---------------------------------------------------------------------------------------
def test_each_message_is_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "t0ken")
    with http_receiver() as receiver:
        sink = hook(tmp_path, url=f"{receiver.url}/hook?a=b", headers={"Authorization": "Bearer {HOOK_TOKEN}"})
        for event in life():
            sink.send(event)
    assert receiver.bodies() == [json.loads(event.as_json()) for event in life()]
    assert {(r["method"], r["path"]) for r in receiver.got} == {("POST", "/hook?a=b")}
    assert {r["headers"]["Authorization"] for r in receiver.got} == {"Bearer t0ken"}
    assert len({r["headers"]["Idempotency-Key"] for r in receiver.got}) == 3


def test_user_and_password_of_the_address_are_sent_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_PASSWORD", "p@ss")
    with http_receiver() as receiver:
        address = receiver.url.replace("//", "//cam:{HOOK_PASSWORD}@")
        hook(tmp_path, url=address, method="PUT").send(life()[0])
    assert receiver.got[0]["headers"]["Authorization"] == "Basic Y2FtOnBAc3M="
    assert receiver.got[0]["method"] == "PUT" and "@" not in receiver.got[0]["headers"]["Host"]


def test_only_the_wanted_states_are_sent(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        sink = hook(tmp_path, url=receiver.url, states=["end"])
        for event in life():
            sink.send(event)
    assert [body["state"] for body in receiver.bodies()] == ["end"]


@pytest.mark.parametrize(
    ("status", "headers", "again", "after_s"),
    [
        (500, {}, True, None),
        (503, {"Retry-After": "7"}, True, 7.0),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, True, None),
        (404, {}, False, None),
        (302, {"Location": "http://elsewhere.invalid/"}, False, None),
    ],
)
def test_a_refusal_says_whether_to_try_again(
    tmp_path: Path, status: int, headers: dict[str, str], again: bool, after_s: float | None
) -> None:
    with http_receiver() as receiver:
        receiver.answers = [(status, headers, b"no")]
        sink = hook(tmp_path, url=f"{receiver.url}/s3cret-path")
        with pytest.raises(SinkError) as error:
            sink.send(life()[0])
        sink.send(life()[0])  # it recovers
    assert (error.value.again, error.value.after_s) == (again, after_s)
    assert str(status) in str(error.value) and "s3cret" not in str(error.value)
    assert len(receiver.got) == 2


def test_a_slow_server_is_given_up_after_the_time_out(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        receiver.wait_s = 2.0
        sink = hook(tmp_path, url=receiver.url, timeout_s=0.2)
        begun = time.monotonic()
        with pytest.raises(SinkError, match=r"no answer within 0.2 s") as error:
            sink.send(life()[0])
        assert error.value.again and time.monotonic() - begun < 2.0  # it did not wait for the answer


def test_a_server_that_is_gone_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    sink = hook(tmp_path, url=f"http://127.0.0.1:{port}")
    with pytest.raises(SinkError, match=f"http://127.0.0.1:{port}: connection refused"):
        sink.send(life()[0])
    with http_receiver(port) as receiver:
        sink.send(life()[0])
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"url": "ftp://host/"}, "url must be an address that begins with http"),
        ({"url": "file:///etc/passwd"}, "url must be an address"),
        ({"url": "http://host:pass/"}, "url must be an address"),
        ({"url": "http://h", "states": ["gone"]}, "there are new, update and end"),
        ({"url": "http://h", "per_minute": 0.0}, "must be above 0"),
        ({"url": "http://h", "headers": {"A": "b\r\nC: d"}}, "a character that headers cannot hold"),
    ],
)
def test_arguments_that_make_no_webhook_are_refused(args: dict[str, Any], text: str) -> None:
    with pytest.raises((VadkitError, ValueError), match=text) as error:
        WebhookSink(**args)
    assert "pass" not in str(error.value).replace("password", "") or "passwd" not in str(error.value)


# -- Frigate ---------------------------------------------------------------------------------------
CREATED = (200, {}, b'{"success": true, "event_id": "1764.5-abc"}')


def test_an_event_is_created_and_ended_in_frigate(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        receiver.answers = [CREATED]
        sink = FrigateSink(url=receiver.url, cameras={"door": "front door"}, label="violence")
        sink.open(tmp_path)
        for event in life():
            sink.send(event)
    create, end = receiver.got
    assert (create["method"], create["path"]) == ("POST", "/api/events/front%20door/violence/create")
    assert create["body"] == {"duration": None, "include_recording": True, "sub_label": "fire", "score": 0.9}
    assert (end["method"], end["path"]) == ("PUT", "/api/events/1764.5-abc/end")


def test_an_event_is_ended_after_a_restart_and_not_created_twice(tmp_path: Path) -> None:
    new, _, end = life()
    with http_receiver() as receiver:
        receiver.answers = [CREATED]
        for event in (new, new, end, end):
            sink = FrigateSink(url=receiver.url)
            sink.open(tmp_path)
            sink.send(event)
    assert [request["method"] for request in receiver.got] == ["POST", "PUT"]


def test_an_event_that_frigate_has_deleted_is_not_ended_again_and_again(tmp_path: Path) -> None:
    new, _, end = life()
    with http_receiver() as receiver:
        receiver.answers = [CREATED, (503, {}, b""), (404, {}, b"")]
        sink = FrigateSink(url=receiver.url)
        sink.open(tmp_path)
        sink.send(new)
        with pytest.raises(SinkError, match="status 503"):
            sink.send(end)
        sink.send(end)
        sink.send(end)
    assert len(receiver.got) == 3


def test_an_answer_without_an_id_is_reported(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        sink = FrigateSink(url=receiver.url)
        sink.open(tmp_path)
        with pytest.raises(SinkError, match="holds no event_id") as error:
            sink.send(life()[0])
    assert not error.value.again
