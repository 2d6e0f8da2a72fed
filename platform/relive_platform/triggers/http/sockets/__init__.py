"""Websockets: an upgraded connection of a client, and the attempt in a worker that serves it."""
