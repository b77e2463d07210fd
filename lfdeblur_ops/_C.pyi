from typing import TypedDict

class BuildFacts(TypedDict):
    cuda: bool
    cuda_stream: bool
    cuda_version: str | None
    cuda_architectures: str | None
    cpu_capability: str
    torch_version: str

def build_facts() -> BuildFacts: ...
def isa_error() -> str: ...
