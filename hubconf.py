"""For ``torch.hub``: the trained models that this repository keeps, by name."""

dependencies = ["torch", "numpy", "safetensors", "tqdm"]


def lbae(dataset="mnist", profile="laptop", model="lbae"):
    """A trained autoencoder of ``results/``, in eval mode.

    Args:
        dataset: a folder of ``results/PROFILE/``: "mnist", "digits", …
        profile: a folder of ``results/``.
        model: "lbae", "vae" or "lbae-N".
    """
    from pathlib import Path

    from lbae_lib.models.sharing import pretrained

    return pretrained(dataset, profile, model, root=Path(__file__).resolve().parent)
