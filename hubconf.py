"""For ``torch.hub``: the trained models that this repository keeps, by name."""

dependencies = ["torch", "numpy", "safetensors", "tqdm"]


def lbae(dataset="mnist", profile="accelerator", model="lbae"):
    """A trained autoencoder of ``results/``, in eval mode on the processor.

    Args:
        dataset: a folder of ``results/PROFILE/``: "mnist", "digits", …
        profile: a folder of ``results/``.
        model: "lbae", "vae", or "lbae-N" for another latent size of N bits.
    """
    from pathlib import Path

    from lbae_lib.models.sharing import pretrained

    return pretrained(dataset, profile, model, root=Path(__file__).resolve().parent)
