"""MQTT against a broker on this machine: retained state, discovery, last will, and a broker that comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from loopback import eventually, free_port, life, mqtt_broker
from vadkit_mqtt_sink import MqttSink

from vadkit import VadkitError
from vadkit.sinks import SinkError
from vadkit.testing import check_component

mqtt = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
pytest.importorskip("amqtt", reason="amqtt is not installed")
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402 - after the check that it is installed


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    number = free_port()
    with mqtt_broker(number):
        yield number


class Subscriber:
    """Keeps the latest message of each topic, and whether the broker had retained it."""

    def __init__(self, port: int) -> None:
        self.texts: dict[str, str] = {}
        self.retained: dict[str, bool] = {}
        self.all: list[tuple[str, str]] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._take
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe("#", qos=1)
        assert subscribed.wait(5)

    def _take(self, client: Any, data: Any, message: Any) -> None:
        self.texts[message.topic] = message.payload.decode()
        self.retained[message.topic] = bool(message.retain)
        self.all.append((message.topic, message.payload.decode()))

    def states(self, wanted: str) -> list[str]:
        """Return the states of the messages at a topic, in order."""
        return [json.loads(text)["state"] for topic, text in self.all if topic == wanted]


@contextmanager
def subscribed(port: int) -> Iterator[Subscriber]:
    subscriber = Subscriber(port)
    try:
        yield subscriber
    finally:
        subscriber.client.disconnect()
        subscriber.client.loop_stop()


def opened(port: int, topic: str, tmp_path: Path, **args: Any) -> MqttSink:
    sink = MqttSink(broker=f"mqtt://127.0.0.1:{port}", topic=topic, **args)
    sink.open(tmp_path)
    return sink


def test_contract() -> None:
    assert not check_component(MqttSink).not_run


def test_state_is_retained_and_home_assistant_finds_the_sensor(port: int, tmp_path: Path) -> None:
    sink = opened(port, "vadkit_a", tmp_path, device_class="sound", expire_after=90)
    new, update, end = life()
    sink.health("door", {"state": "online", "fps": 25})
    sink.send(new)
    with subscribed(port) as late:  # as Home Assistant after its own restart
        assert eventually(lambda: "vadkit_a/door/attributes" in late.texts)
        assert eventually(lambda: late.texts.get("vadkit_a/door/state") == "ON")
        config = json.loads(late.texts["homeassistant/binary_sensor/vadkit_a/door/config"])
        assert config["device_class"] == "sound" and config["expire_after"] == 90
        assert late.texts[config["state_topic"]] == config["payload_on"]
        assert json.loads(late.texts[config["json_attributes_topic"]])["id"] == new.id
        assert {late.texts[entry["topic"]] for entry in config["availability"]} == {config["payload_available"]}
        assert config["availability_mode"] == "all" and config["unique_id"] and config["device"]["name"] == "door"
        assert all(late.retained[topic] for topic in late.texts if topic.startswith("vadkit_a"))
        sink.send(update)
        sink.send(end)
        assert eventually(lambda: late.texts.get("vadkit_a/door/state") == "OFF")
        assert eventually(lambda: len(late.states("vadkit_a/door/event")) == 2)
        assert late.states("vadkit_a/door/event") == ["update", "end"]
        sink.health("door", {"state": "offline"})
        assert eventually(lambda: late.texts["vadkit_a/door/status"] == "offline")
        sink.close()
        assert eventually(lambda: late.texts["vadkit_a/status"] == "offline")


WATCH = """
import sys, time
from pathlib import Path
from loopback import life
from vadkit_mqtt_sink import MqttSink
sink = MqttSink(broker=f"mqtt://127.0.0.1:{sys.argv[1]}", topic="vadkit_killed")
sink.open(Path("."))
sink.send(life()[0])
print("sent", flush=True)
time.sleep(60)
"""


def test_the_last_will_says_that_a_killed_process_is_gone(port: int, tmp_path: Path) -> None:
    paths = [str(Path(__file__).parent.parent / "support"), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(
        [sys.executable, "-c", WATCH, str(port)], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"sent\n"
    with subscribed(port) as late:
        assert eventually(lambda: late.texts.get("vadkit_killed/status") == "online")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert eventually(lambda: late.texts["vadkit_killed/status"] == "offline")
        assert late.texts["vadkit_killed/door/state"] == "ON"  # unavailable in Home Assistant, by the status


def test_a_broker_that_comes_back_gets_all_that_it_is_to_hold(tmp_path: Path) -> None:
    number = free_port()
    sink = opened(number, "vadkit_b", tmp_path, timeout_s=0.3)
    new, update, _ = life()
    with pytest.raises(SinkError, match=f"mqtt://127.0.0.1:{number}: "):
        sink.send(new)
    with mqtt_broker(number), subscribed(number) as first:
        assert eventually(lambda: first.texts.get("vadkit_b/door/state") == "ON", 20)
        assert first.texts["vadkit_b/status"] == "online"
        assert "homeassistant/binary_sensor/vadkit_b/door/config" in first.texts
    assert eventually(lambda: not sink._connected.is_set())
    with pytest.raises(SinkError):
        sink.send(update)
    with mqtt_broker(number), subscribed(number) as second:
        assert eventually(lambda: "vadkit_b/door/attributes" in second.texts, 20)
        assert json.loads(second.texts["vadkit_b/door/attributes"])["state"] == "update"
    sink.close()


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"broker": "http://host"}, "begins with mqtt://"),
        ({"broker": "mqtt://cam:hunter2@host:port"}, "begins with mqtt://"),
        ({"broker": "mqtt://host", "topic": "a/#"}, "cannot be a topic"),
        ({"broker": "mqtt://host", "expire_after": -1}, "expire_after at least 0"),
    ],
)
def test_arguments_that_make_no_sink_are_refused(args: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text) as error:
        MqttSink(**args)
    assert "hunter2" not in str(error.value)


def test_without_discovery_none_is_published(port: int, tmp_path: Path) -> None:
    sink = opened(port, "vadkit_c", tmp_path, discovery=None)
    sink.send(life()[0])
    with subscribed(port) as late:
        assert eventually(lambda: "vadkit_c/door/state" in late.texts)
        assert not [topic for topic in late.texts if "vadkit_c" in topic and topic.startswith("homeassistant")]
    sink.close()


def test_without_its_client_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(VadkitError, match=r"needs paho-mqtt.*(\n.*)*vadkit\[watch\]"):
        MqttSink(broker="mqtt://127.0.0.1").open(tmp_path)
