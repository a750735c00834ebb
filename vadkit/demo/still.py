"""A frame of a video as a picture for a page."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2

from vadkit.extract.open_file import open_input


def still(file: Path, number: int) -> str:
    """Return frame ``number`` of a video as a data URL."""
    with open_input(file) as media:
        picture = next(frame for i, frame in enumerate(media.decode(video=0)) if i == number)
    image = picture.to_ndarray(format="bgr24")
    good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert good
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
