"""Make a thumbnail of a product picture with Pillow."""

import base64
import io

from PIL import Image, ImageFilter

SIZES = {"small": (64, 64), "medium": (256, 256)}


def handler(event, context):
    picture = load(event["picture"])
    if "scale" in event:
        picture = enlarge(picture, event["scale"])
    thumbnail = shrink(picture, SIZES[event.get("size", "small")])
    return {"width": thumbnail.width, "height": thumbnail.height, "png": encode(thumbnail)}


def load(text):
    """A picture from base64: whatever the browser sent."""
    return Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")


def enlarge(picture, scale):
    # Nobody thought of what a scale of 40 does to a photo.
    tiles = []
    for _ in range(scale):
        wide = picture.resize((picture.width * scale, picture.height * scale))
        tiles.append(bytearray(wide.tobytes()))
    return Image.frombytes("RGB", wide.size, bytes(tiles[-1]))


def shrink(picture, box):
    smooth = picture.filter(ImageFilter.GaussianBlur(1))
    smooth.thumbnail(box)
    return smooth


def encode(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
