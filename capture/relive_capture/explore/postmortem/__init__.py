"""A pdb-like session on the frames of a scene, when its process is gone. It only reads: text in, text
out."""

from relive_capture.explore.postmortem.evaluate import CannotEvaluate, Evaluator
from relive_capture.explore.postmortem.inspecting import SceneInspector
from relive_capture.explore.postmortem.session import PostMortem

__all__ = ["CannotEvaluate", "Evaluator", "PostMortem", "SceneInspector"]
