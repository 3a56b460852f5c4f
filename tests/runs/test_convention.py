"""What a model file leaves unsaid is tried, said, and may be given; what it says decides; what is left out is named."""

from __future__ import annotations

import zipfile
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.datasets import Dataset, Split
from core.datasets.dataset import to_unit
from core.errors import InputError
from core.models import build_model
from core.models.foreign.inspect import inspect_model
from core.runs.convention import Known, read_known
from core.runs.load import LoadedModel, load_model
from core.runs.root import load_run

CLASSES = tuple(str(number) for number in range(12))
AS_TEXTS = sorted(CLASSES)
SHAPE = (3, 8, 8)
SMALL = 1, 8, 8


@pytest.fixture(scope="module")
def blobs() -> Dataset:
    """Twelve classes of 3x8x8 images, each around its own picture; six are the others with red and blue swapped."""
    generator = torch.Generator().manual_seed(3)
    pictures = torch.randint(20, 236, (6, *SHAPE), generator=generator)
    pictures = torch.cat([pictures, pictures.flip(1)])
    labels = torch.arange(240) % 12
    images = (pictures[labels] + torch.randint(-20, 20, (240, *SHAPE), generator=generator)).to(torch.uint8)
    return Dataset("blobs", CLASSES, Split(images, labels), Split(images[:120], labels[:120]), "blobs-1")


def taught(blobs: Dataset, seen: Callable[[Tensor], Tensor], named: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return an MLP that was trained on images as `seen`, with labels as `named`."""
    torch.manual_seed(0)
    model = build_model("mlp", SHAPE, 12)
    images, labels = seen(to_unit(blobs.train.images)), named(blobs.train.labels)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(25):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    return model.eval()


def as_texts(labels: Tensor) -> Tensor:
    return torch.tensor([AS_TEXTS.index(name) for name in CLASSES])[labels]


def blue_first(images: Tensor) -> Tensor:
    return images.flip(1)


@pytest.fixture(scope="module")
def bgr(blobs) -> nn.Module:
    return taught(blobs, blue_first, lambda labels: labels)


@pytest.fixture(scope="module")
def in_text_order(blobs) -> nn.Module:
    return taught(blobs, lambda images: images, as_texts)


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("normalize.")}


def loaded(content: object, dataset: Dataset, folder, **how) -> LoadedModel:
    torch.save(content, folder / "model.pt")
    return load_model(folder / "model.pt", dataset, root=folder / "runs", **how)


def labels_of_run(model: LoadedModel, dataset: Dataset) -> Tensor:
    return model.run.predictor().labels(to_unit(dataset.test.images))


def test_colours_are_turned_round_where_that_is_what_the_model_learned(tmp_path, blobs, bgr):
    model = loaded(plain_state(bgr), blobs, tmp_path)
    assert (model.convention.channels, model.convention.classes) == ("BGR", None)
    assert model.run.spec.channel_order == "BGR"
    assert model.run.result.clean_accuracy.value == 1
    again = load_run(model.run.name, tmp_path / "runs").finished()  # its weights take red first
    assert torch.equal(again.predictor().labels(to_unit(blobs.test.images)), blobs.test.labels)
    forced = loaded(plain_state(bgr), blobs, tmp_path, known=Known(channels="RGB"))
    assert forced.run.result.clean_accuracy.value < 0.5


def test_classes_in_the_order_of_texts_are_put_into_ours(tmp_path, blobs, in_text_order):
    model = loaded(plain_state(in_text_order), blobs, tmp_path)
    assert model.convention.classes == tuple(AS_TEXTS.index(name) for name in CLASSES)
    assert model.run.result.clean_accuracy.value == 1
    assert torch.equal(labels_of_run(model, blobs), blobs.test.labels)


@pytest.mark.parametrize("key", ["class_to_idx", "classes", "idx_to_class"])
def test_an_order_that_the_file_says_decides(tmp_path, blobs, key):
    order = [CLASSES[(5 * place + 3) % 12] for place in range(12)]
    model = taught(blobs, lambda images: images, lambda labels: torch.tensor([order.index(n) for n in CLASSES])[labels])
    said = {"class_to_idx": {name: place for place, name in enumerate(order)}, "classes": order}
    said["idx_to_class"] = dict(enumerate(order))
    found = loaded({"state_dict": plain_state(model), key: said[key]}, blobs, tmp_path)
    assert found.run.result.clean_accuracy.value == 1
    assert found.found.class_names == tuple(order)


@pytest.mark.parametrize("said", [["a", "a"], {"a": 0, "b": 5}, {"a": "x"}, [1, 2], ["a\n", "b"], "ab"])
def test_what_is_no_list_of_classes_decides_nothing(tmp_path, blobs, bgr, said):
    torch.save({"state_dict": plain_state(bgr), "classes": said}, tmp_path / "model.pt")
    assert inspect_model(tmp_path / "model.pt", SHAPE).class_names == ()


def test_a_usual_model_keeps_the_usual_orders(tmp_path, blobs):
    model = loaded(plain_state(taught(blobs, lambda images: images, lambda labels: labels)), blobs, tmp_path)
    assert model.convention.is_plain
    assert not any("guessing" in note for note in model.notes)


def test_a_model_that_guesses_is_said_to(tmp_path, blobs):
    network = build_model("mlp", SHAPE, 12)
    nn.init.zeros_(network.classify.weight)
    model = loaded(plain_state(network), blobs, tmp_path)
    warning = model.run.result.warning
    assert warning is not None
    assert "guessing among 12 classes" in warning
    assert warning in model.notes


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_many_guesses_is_no_finding(tmp_path, blobs, seed):
    torch.manual_seed(seed)
    assert loaded(plain_state(build_model("mlp", SHAPE, 12)), blobs, tmp_path).convention.is_plain


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [("0.5", "0.25", ((0.5,) * 3, (0.25,) * 3)), ("0.1,0.2,0.3", "1,2,3", ((0.1, 0.2, 0.3), (1, 2, 3)))],
)
def test_numbers_of_ones_own_are_taken(tmp_path, blobs, bgr, mean, std, expected):
    model = loaded(plain_state(bgr), blobs, tmp_path, known=read_known(None, mean, std, "bgr"))
    assert (model.run.spec.mean, model.run.spec.std, model.run.spec.normalisation) == (*expected, "given")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((None, "a,b", None, None), "Numbers separated by commas"),
        ((None, "1,2", None, None), "one number, or as 3"),
        ((None, None, "0", None), "no deviation is 0"),
        ((None, None, None, "grb"), "RGB or BGR"),
        (("nonsense", None, None, None), "no normalisation 'nonsense'"),
        (("file", None, None, None), "does not say how its pixels"),
    ],
)
def test_what_does_not_suit_gets_a_sentence(tmp_path, blobs, bgr, words, said):
    with pytest.raises(InputError, match=said):
        loaded(plain_state(bgr), blobs, tmp_path, known=read_known(*words))
    assert not (tmp_path / "runs").exists()


# --- a network among other things


class Rescale(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((channels, 1, 1), 0.3))
        self.register_buffer("std", torch.full((channels, 1, 1), 0.2))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


@pytest.mark.parametrize(
    ("wrap", "left_out"),
    [
        (
            lambda state: (
                {f"model.{name}": value for name, value in state.items()} | {"criterion.weight": torch.ones(10)}
            ),
            "criterion.weight",
        ),
        (
            lambda state: {f"module.{name}": value for name, value in state.items()} | {"n_averaged": torch.tensor(3)},
            "n_averaged",
        ),
        (
            lambda state: (
                {f"net.body.{name}": value for name, value in state.items()}
                | {"ema.decay": torch.ones(1), "ema.weight": torch.ones(2)}
            ),
            "ema.decay",
        ),
        (lambda state: {f"1.{name}": value for name, value in state.items()} | {"0.other": torch.ones(2)}, "0.other"),
    ],
)
@pytest.mark.parametrize("architecture", ["small-cnn", "mlp"])
def test_a_network_among_other_tensors_is_found_and_these_are_named(tmp_path, architecture, wrap, left_out):
    torch.manual_seed(2)
    model = build_model(architecture, SMALL, 10).eval()
    torch.save(wrap(plain_state(model)), tmp_path / "model.pt")
    found = inspect_model(tmp_path / "model.pt", SMALL)
    assert found.architecture == architecture
    assert any(left_out in note for note in found.notes)
    images = torch.rand(4, *SMALL)
    assert torch.equal(found.model((0.0,), (1.0,))(images), model(images))


@pytest.mark.parametrize("order", ["before", "inside"])
def test_a_layer_that_normalises_is_read_from_the_file(tmp_path, order):
    torch.manual_seed(2)
    model = build_model("small-cnn", SMALL, 10).eval()
    rescale = Rescale(1)
    state = {f"1.{name}": value for name, value in plain_state(model).items()}
    state |= {f"{'0' if order == 'before' else '1.norm'}.{name}": value for name, value in rescale.state_dict().items()}
    torch.save(state, tmp_path / "model.pt")
    found = inspect_model(tmp_path / "model.pt", SMALL)
    assert found.normalised == (pytest.approx((0.3,)), pytest.approx((0.2,)))
    images = torch.rand(4, *SMALL)
    torch.testing.assert_close(found.model(*found.normalised)(images), model(rescale(images)))


def test_quantised_weights_are_still_refused(tmp_path):
    state = plain_state(build_model("small-cnn", SMALL, 10))
    torch.save(state | {"classify.weight": torch.ones(10, 128, dtype=torch.int8)}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="not quantised"):
        inspect_model(tmp_path / "model.pt", SMALL)


def test_weights_are_said_not_to_show_what_lies_between_them(tmp_path):
    torch.save(plain_state(build_model("small-cnn", SMALL, 10)), tmp_path / "model.pt")
    assert any("activations, pooling" in note for note in inspect_model(tmp_path / "model.pt", SMALL).notes)


# --- ONNX: which output, and whether it is a function of the image


class Several(nn.Module):
    """Gives an embedding first, then the numbers for classes."""

    def __init__(self, model: nn.Module, width: int) -> None:
        super().__init__()
        self.model, self.embed = model, nn.Linear(192, width)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.embed(images.flatten(1)), self.model(images)


class Company(nn.Module):
    """Answers by the mean of all images that it is asked about, or by chance."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.last = how, nn.Linear(192, 12)

    def forward(self, images: Tensor) -> Tensor:
        if self.how == "dropout":
            return self.last(nn.functional.dropout(images, 0.5, training=True).flatten(1))
        if self.how == "batch norm":
            centred = images - images.mean((0, 2, 3), keepdim=True)
            return self.last((centred / images.var((0, 2, 3), keepdim=True).add(1e-3).sqrt()).flatten(1))
        return self.last(images.flatten(1)) - self.last(images.flatten(1)).mean(0, keepdim=True)


def exported(model: nn.Module, path, **how) -> None:
    pytest.importorskip("onnx")
    torch.onnx.export(
        model, (torch.zeros(2, *SHAPE),), path, input_names=["images"], dynamo=False,
        dynamic_axes={"images": {0: "n"}}, **how,
    )  # fmt: skip


@pytest.mark.parametrize("width", [5, 64, 128])
def test_of_several_outputs_the_one_with_a_number_a_class_is_read(tmp_path, blobs, bgr, width):
    exported(Several(bgr, width), tmp_path / "model.onnx", output_names=["embedding", "logits"])
    model = load_model(tmp_path / "model.onnx", blobs, root=tmp_path / "runs")
    assert model.run.result.clean_accuracy.value == 1
    assert model.run.spec.channel_order == "BGR"
    assert any("'logits' is read; not read: embedding" in note for note in model.notes)
    assert torch.equal(labels_of_run(model, blobs), blobs.test.labels)


@pytest.mark.parametrize("how", ["dropout", "batch norm", "mean of the batch"])
def test_an_answer_that_depends_on_company_or_chance_is_refused(tmp_path, how):
    pytest.importorskip("onnx")
    exported(Company(how), tmp_path / "model.onnx", training=torch.onnx.TrainingMode.PRESERVE)
    with pytest.raises(InputError, match=r"among other images, .* call model.eval\(\)"):
        inspect_model(tmp_path / "model.onnx", SHAPE, 12)


def test_the_order_of_classes_is_ours_for_onnx_too(tmp_path, blobs, in_text_order):
    exported(in_text_order, tmp_path / "model.onnx")
    model = load_model(tmp_path / "model.onnx", blobs, root=tmp_path / "runs")
    assert model.run.result.clean_accuracy.value == 1
    assert torch.equal(labels_of_run(model, blobs), blobs.test.labels)


# --- ONNX in two files, as torch writes it by default


@pytest.fixture
def two_files(tmp_path, blobs):
    """Return the folder of a model in two files, and the model."""
    pytest.importorskip("onnx")
    import onnx

    model = taught(blobs, lambda images: images, lambda labels: labels)
    exported(model, tmp_path / "one.onnx")
    (tmp_path / "two").mkdir()
    onnx.save_model(
        onnx.load(tmp_path / "one.onnx"), tmp_path / "two" / "net.onnx", save_as_external_data=True,
        location="net.onnx.data", size_threshold=0,
    )  # fmt: skip
    return tmp_path / "two"


@pytest.mark.parametrize("way", ["side by side", "ZIP", "ZIP with a folder"])
def test_a_model_in_two_files_is_that_in_one(tmp_path, blobs, two_files, way):
    path = two_files / "net.onnx"
    if way != "side by side":
        path = tmp_path / "both.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in two_files.iterdir():
                archive.write(file, ("export/" if "folder" in way else "") + file.name)
    both = load_model(path, blobs, root=tmp_path / "runs")
    one = load_model(tmp_path / "one.onnx", blobs, root=tmp_path / "runs")
    assert both.run.result.clean_accuracy == one.run.result.clean_accuracy
    images = to_unit(blobs.test.images)
    assert torch.equal(both.run.predictor().logits(images), one.run.predictor().logits(images))


def test_half_of_a_model_names_the_other_half(blobs, two_files, tmp_path):
    (two_files / "net.onnx.data").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"'net.onnx.data': give both, .*external_data=False"):
        load_model(two_files / "net.onnx", blobs, root=tmp_path / "runs")


@pytest.mark.parametrize("location", ["../elsewhere", "/etc/passwd", "a/b", "..", "link"])
def test_no_part_lies_elsewhere(blobs, two_files, tmp_path, location):
    import onnx

    (tmp_path / "elsewhere").write_bytes(bytes(10**6))
    (two_files / "link").symlink_to(tmp_path / "elsewhere")
    model = onnx.load(two_files / "net.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = location if entry.key == "location" else entry.value
    (two_files / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="does not lie next to it"):
        load_model(two_files / "net.onnx", blobs, root=tmp_path / "runs")


def test_a_part_that_is_cut_off_is_said(blobs, two_files, tmp_path):
    part = two_files / "net.onnx.data"
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(InputError, match="does not hold all weights"):
        load_model(two_files / "net.onnx", blobs, root=tmp_path / "runs")
