"""Models for other programs: ONNX files."""

from tensorgrad.exporting.onnx_file import ExportedModel as ExportedModel
from tensorgrad.exporting.onnx_file import export_onnx as export_onnx
from tensorgrad.exporting.tracing import CannotExportError as CannotExportError
