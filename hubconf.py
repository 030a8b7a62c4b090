"""For ``torch.hub``: the trained models that this repository keeps, by name."""

dependencies = ["torch", "safetensors", "yaml", "huggingface_hub"]


def lbae(dataset="mnist", profile="laptop", model="lbae"):
    """A trained autoencoder of ``results/``, in eval mode.

    Args:
        dataset: "mnist", "digits", …
        profile: a file in ``config/``.
        model: "lbae", "vae" or "lbae-N".
    """
    from pathlib import Path

    from lbae_lib.models.sharing import pretrained

    return pretrained(dataset, profile, model, root=Path(__file__).resolve().parent)
