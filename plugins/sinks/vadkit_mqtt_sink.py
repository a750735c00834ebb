"""Events over MQTT, with what Home Assistant needs to find them by itself.

Below ``topic``, all retained but ``event``:

``status``               online, or offline: said by the broker if this process is gone (last will)
``SOURCE/status``        online or offline: the camera
``SOURCE/state``         ON while an event lasts, else OFF
``SOURCE/attributes``    the latest message of an event, as JSON
``SOURCE/event``         each message of an event, as JSON
``SOURCE/health``        what is known of the camera, as JSON
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from vadkit import Sink, __version__, fail, hookimpl
from vadkit.sinks import Event, SinkError, plain_name, revealed_url

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE = 30  # seconds; the broker sends the last will after one and a half of it
LONGEST_PAUSE = 60  # seconds between two tries to connect
NO_BROKER = "broker must be an address that begins with mqtt:// or mqtts://, such as mqtt://USER:{PASSWORD}@HOST:1883"
ONLINE, OFFLINE = "online", "offline"


class MqttSink(Sink):
    """Publish events to an MQTT broker, retained, with a last will and Home Assistant discovery.

    Each source is a binary sensor in Home Assistant: on while an event lasts, unavailable if this process or the
    camera is gone, its attributes the latest message. The connection is kept and restored by a thread of the client.

    Args:
        broker: ``mqtt://[USER:PASSWORD@]HOST[:PORT]``, or ``mqtts://`` for TLS; it may name secrets.
        topic: the first part of all topics.
        discovery: Home Assistant's prefix of discovery; null publishes none.
        device_class: how Home Assistant shows the sensor.
        expire_after: seconds without news after which it is unavailable in Home Assistant; 0 is never. News come
            with each event and each report of health.
        ca_file: certificates to trust instead of those of the system, for TLS.
        timeout_s: how long a message may take to be confirmed.

    Raises VadkitError where paho-mqtt is not installed.
    """

    name = "mqtt"
    example = {"broker": "mqtt://user:{VADKIT_TEST_SECRET}@127.0.0.1:9", "timeout_s": 0.05}

    def __init__(
        self,
        *,
        broker: str,
        topic: str = "vadkit",
        discovery: str | None = "homeassistant",
        device_class: Literal["safety", "problem", "sound", "motion"] = "safety",
        expire_after: int = 300,
        ca_file: str | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        try:
            self._parts = urlsplit(revealed_url(broker, "broker"))
            port = self._parts.port
        except ValueError:  # its text might hold the password
            raise ValueError(NO_BROKER) from None
        if self._parts.scheme not in PORTS or not self._parts.hostname:
            raise ValueError(NO_BROKER)
        for text in (topic, discovery or ""):
            if set(text) & set("+#\0") or text.startswith("/") or text.endswith("/"):
                raise ValueError(f"{text!r} cannot be a topic")
        if timeout_s <= 0 or expire_after < 0:
            raise ValueError("timeout_s must be above 0, and expire_after at least 0")
        self.topic, self.discovery, self.device_class = topic, discovery, device_class
        self.expire_after, self.ca_file, self.timeout_s = expire_after, ca_file, timeout_s
        self.port = port or PORTS[self._parts.scheme]
        self._shown = f"{self._parts.scheme}://{self._parts.hostname}:{self.port}"
        # What the broker is to hold, by topic; published again whenever the connection is restored.
        self._retained: dict[str, str] = {}
        self._connected = threading.Event()
        self._problem = "not connected"

    # -- the connection ----------------------------------------------------------------------------
    def open(self, folder: Path) -> None:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            fail("the sink mqtt needs paho-mqtt, which is not installed", hint="pip install 'vadkit[watch]'")
        self._client = Client(CallbackAPIVersion.VERSION2)
        if self._parts.username is not None:
            self._client.username_pw_set(unquote(self._parts.username), unquote(self._parts.password or ""))
        if self._parts.scheme == "mqtts":
            self._secure()
        self._client.will_set(f"{self.topic}/status", OFFLINE, qos=1, retain=True)
        self._client.reconnect_delay_set(1, LONGEST_PAUSE)
        self._client.on_connect, self._client.on_disconnect = self._on_connect, self._on_disconnect
        self._client.on_connect_fail = self._on_fail
        self._client.connect_async(str(self._parts.hostname), self.port, KEEPALIVE)
        self._client.loop_start()

    def _secure(self) -> None:
        try:
            self._client.tls_set(ca_certs=self.ca_file)
        except (OSError, ssl.SSLError):
            fail(f"ca_file: {self.ca_file} cannot be read as certificates")

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._problem = f"the broker refuses the connection: {reason}"
            return
        for topic, text in [(f"{self.topic}/status", ONLINE), *self._retained.items()]:
            client.publish(topic, text, qos=1, retain=True)
        self._connected.set()

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._connected.clear()
        if not self._problem.startswith("the broker refuses"):
            self._problem = "the connection was cut"

    def _on_fail(self, client: Any, data: Any) -> None:
        self._problem = "it cannot be reached"

    def close(self) -> None:
        try:
            if self._connected.is_set():
                self._publish({f"{self.topic}/status": OFFLINE})
        finally:
            self._client.disconnect()
            self._client.loop_stop()

    # -- what is published -------------------------------------------------------------------------
    def send(self, event: Event) -> None:
        base = self._base(event.source)
        text = event.as_json()
        self._publish(
            {
                **self._announcement(event.source),
                f"{base}/attributes": text,
                f"{base}/state": "OFF" if event.state == "end" else "ON",
            },
            {f"{base}/event": text},
        )

    def health(self, source: str, values: Mapping[str, Any]) -> None:
        base = self._base(source)
        online = ONLINE if values.get("state", ONLINE) == ONLINE else OFFLINE
        state = self._retained.get(f"{base}/state", "OFF")
        self._publish(
            {**self._announcement(source), f"{base}/status": online, f"{base}/state": state},
            {f"{base}/health": json.dumps(dict(values), default=str)},
        )

    def _base(self, source: str) -> str:
        return f"{self.topic}/{plain_name(source)}"

    def _announcement(self, source: str) -> dict[str, str]:
        """Return the messages that make a source known, the first time."""
        base = self._base(source)
        if f"{base}/status" in self._retained:
            return {}
        found = {f"{base}/status": ONLINE}
        if self.discovery:
            topic = f"{self.discovery}/binary_sensor/{plain_name(self.topic)}/{plain_name(source)}/config"
            found[topic] = json.dumps(self._sensor(source, base))
        return found

    def _sensor(self, source: str, base: str) -> dict[str, Any]:
        """Return what Home Assistant reads of a binary sensor."""
        unique = f"{plain_name(self.topic)}_{plain_name(source)}"
        origin = {"name": "vadkit", "sw_version": __version__}
        sensor = {
            "name": "Anomaly",
            "unique_id": unique,
            "device_class": self.device_class,
            "state_topic": f"{base}/state",
            "payload_on": "ON",
            "payload_off": "OFF",
            "json_attributes_topic": f"{base}/attributes",
            "availability": [{"topic": f"{self.topic}/status"}, {"topic": f"{base}/status"}],
            "availability_mode": "all",
            "payload_available": ONLINE,
            "payload_not_available": OFFLINE,
            "device": {"identifiers": [unique], "name": source, "manufacturer": "vadkit", "sw_version": __version__},
            "origin": origin,
        }
        return sensor | ({"expire_after": self.expire_after} if self.expire_after else {})

    def _publish(self, retained: Mapping[str, str], once: Mapping[str, str] | None = None) -> None:
        """Publish, and wait until the broker has confirmed. What is retained is kept, confirmed or not."""
        self._retained |= {topic: text for topic, text in retained.items() if topic != f"{self.topic}/status"}
        if not self._connected.wait(self.timeout_s):
            raise SinkError(f"{self._shown}: {self._problem}")
        sent = [self._client.publish(topic, text, qos=1, retain=True) for topic, text in retained.items()]
        sent += [self._client.publish(topic, text, qos=1) for topic, text in (once or {}).items()]
        try:
            for message in sent:
                message.wait_for_publish(self.timeout_s)
        except (RuntimeError, ValueError):
            raise SinkError(f"{self._shown}: {self._problem}") from None
        if not all(message.is_published() for message in sent):
            raise SinkError(f"{self._shown}: not confirmed within {self.timeout_s:g} s")


@hookimpl
def vadkit_components() -> list[type]:
    return [MqttSink]
