"""Every source of images but the traffic signs: what they give, what they refuse, and with which sentence."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.datasets import Dataset, Split, data_folder, dataset_names, describe, fingerprint, load_dataset
from core.datasets.splitting import stratified_split
from core.datasets.zip_folder import archive, layout, pictures
from core.errors import InputError

ROOT = Path(__file__).parents[2]

# --- registry


def test_import_and_fingerprint_stay_light():
    code = (
        "import sys; import core.datasets as d; d.fingerprint('signs'); [d.describe(n) for n in d.dataset_names()];"
        "print([m for m in ('torch', 'torchvision', 'sklearn', 'scipy', 'PIL', 'numpy') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_names_and_descriptions_agree():
    assert dataset_names() == ("digits", "signs", "mnist", "fashion-mnist", "cifar10", "svhn", "gtsrb")
    assert [describe(name).name for name in dataset_names()] == list(dataset_names())
    assert len({fingerprint(name) for name in dataset_names()}) == 7


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("digit", "'digits'"), ("FashionMNIST", "'fashion-mnist'"), ("my.zip", "'zip:my.zip'")],
)
def test_unknown_name_lists_the_known_and_suggests(wrong, hint):
    for ask in (describe, fingerprint, load_dataset):
        with pytest.raises(InputError) as caught:
            ask(wrong)
        message = str(caught.value)
        assert all(name in message for name in (*dataset_names(), "zip:PATH", f"'{wrong}'", hint))


def test_data_folder_is_chosen_or_from_the_environment_or_here(monkeypatch):
    monkeypatch.setenv("TRIGGERSCOPE_DATA", "/elsewhere")
    assert data_folder() == Path("/elsewhere")
    assert data_folder("chosen") == Path("chosen")
    monkeypatch.delenv("TRIGGERSCOPE_DATA")
    assert data_folder() == Path("data")


# --- splitting


def test_split_is_stratified_seeded_and_complete():
    labels = np.repeat([0, 1, 2], [100, 10, 2])
    train, test = stratified_split(labels)
    assert sorted([*train, *test]) == list(range(112))
    assert np.bincount(labels[test]).tolist() == [20, 2, 1]
    assert np.array_equal(test, stratified_split(labels)[1])
    assert not np.array_equal(test, stratified_split(labels, seed=1)[1])


# --- digits


def test_digits_are_scikit_learns(tmp_path):
    from sklearn.datasets import load_digits

    data = load_dataset("digits", tmp_path)
    told = describe("digits")
    assert (data.shape, data.classes) == (told.shape, told.classes)
    assert (len(data.train), len(data.test)) == (told.train_size, told.test_size)
    assert data.fingerprint == fingerprint("digits")
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.dtype == torch.int64

    bunch = load_digits()
    expected = sorted(
        (int(label), *(round(value * 255 / 16) for value in image.ravel()))
        for label, image in zip(bunch.target, bunch.images, strict=True)
    )
    found = sorted(
        (int(label), *image.flatten().tolist())
        for split in (data.train, data.test)
        for label, image in zip(split.labels, split.images, strict=True)
    )
    assert found == expected


# --- MNIST and its like


def _idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small stand-in for Fashion-MNIST on a mirror of its own; returns its folder and its arrays."""
    from torchvision import datasets

    rng = np.random.default_rng(0)
    arrays = {
        f"{split}-{kind}-ubyte": array.astype(np.uint8)
        for split, count in (("train", 30), ("t10k", 20))
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", np.arange(count) % 10),
        )
    }
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    resources = []
    for name, array in arrays.items():
        packed = gzip.compress(_idx(array))
        (mirror / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(datasets.FashionMNIST, "resources", resources)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [(tmp_path / "gone").as_uri() + "/", mirror.as_uri() + "/"])
    return mirror, arrays


def test_download_unpacks_and_the_next_load_needs_no_mirror(published, tmp_path):
    mirror, arrays = published
    steps = []
    data = load_dataset("fashion-mnist", tmp_path / "root", lambda share, text: steps.append((share, text)))
    assert torch.equal(data.train.images[:, 0], torch.from_numpy(arrays["train-images-idx3-ubyte"]))
    assert data.test.labels.tolist() == [index % 10 for index in range(20)]
    assert data.shape == describe("fashion-mnist").shape
    assert data.classes[9] == "Ankle boot"
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert "train-images" in steps[0][1]

    raw = tmp_path / "root" / "FashionMNIST" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(arrays)
    for file in mirror.iterdir():
        file.unlink()
    assert torch.equal(load_dataset("fashion-mnist", tmp_path / "root").train.images, data.train.images)


def test_torchvision_reads_what_was_stored(published, tmp_path):
    from torchvision.datasets import FashionMNIST

    data = load_dataset("fashion-mnist", tmp_path / "root")
    theirs = FashionMNIST(tmp_path / "root", train=False)
    assert torch.equal(theirs.data, data.test.images[:, 0])
    assert torch.equal(theirs.targets, data.test.labels)


def test_damaged_files_are_fetched_again(published, tmp_path):
    _, arrays = published
    load_dataset("fashion-mnist", tmp_path / "root")
    file = tmp_path / "root" / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    whole = file.read_bytes()
    for damaged in (whole[:-1], b"", b"<html>not found</html>"):
        file.write_bytes(damaged)
        data = load_dataset("fashion-mnist", tmp_path / "root")
        assert torch.equal(data.test.images[:, 0], torch.from_numpy(arrays["t10k-images-idx3-ubyte"]))


def test_offline_is_one_sentence_and_leaves_nothing_behind(published, tmp_path):
    mirror, _ = published
    (mirror / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError) as caught:
        load_dataset("fashion-mnist", tmp_path / "root")
    message = str(caught.value)
    raw = tmp_path / "root" / "FashionMNIST" / "raw"
    assert all(part in message for part in ("train-labels-idx1-ubyte.gz", str(raw), "digits or signs"))
    assert [path.name for path in raw.iterdir()] == ["train-images-idx3-ubyte"]


def test_wrong_checksum_is_refused(published, tmp_path):
    mirror, _ = published
    packed = gzip.compress(b"something else")
    (mirror / "train-images-idx3-ubyte.gz").write_bytes(packed)
    with pytest.raises(InputError, match="wrong checksum"):
        load_dataset("fashion-mnist", tmp_path / "root")
    assert not (tmp_path / "root" / "FashionMNIST" / "raw").exists()


def test_archives_put_there_by_hand_are_unpacked(published, tmp_path):
    mirror, arrays = published
    raw = tmp_path / "root" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in mirror.iterdir():
        file.rename(raw / file.name)
    data = load_dataset("fashion-mnist", tmp_path / "root")
    assert torch.equal(data.train.images[:, 0], torch.from_numpy(arrays["train-images-idx3-ubyte"]))


def test_images_and_labels_of_different_length_are_refused(published, tmp_path):
    load_dataset("fashion-mnist", tmp_path / "root")
    labels = tmp_path / "root" / "FashionMNIST" / "raw" / "train-labels-idx1-ubyte"
    labels.write_bytes(_idx(np.zeros(29, np.uint8)))
    with pytest.raises(InputError, match="do not belong together"):
        load_dataset("fashion-mnist", tmp_path / "root")


def test_data_folder_that_cannot_be_written(published, tmp_path):
    (tmp_path / "root").write_text("a file, not a folder")
    with pytest.raises(InputError, match="can be written"):
        load_dataset("fashion-mnist", tmp_path / "root")


# --- ZIP files: what they give


def _png(colour: object, size: tuple[int, int] = (12, 10), mode: str = "RGB", kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind)
    return buffer.getvalue()


RED, GREEN = (200, 10, 10), (10, 200, 10)


def _zip(path: Path, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return f"zip:{path}"


def _two_classes(count: int = 5) -> dict[str, bytes]:
    return {f"{one}/{index}.png": _png(colour) for one, colour in (("a", RED), ("b", GREEN)) for index in range(count)}


def _given_split() -> dict[str, bytes]:
    return {
        f"{split}/{one}/{index}.png": _png(colour)
        for split, count in (("train", 3), ("test", 2))
        for one, colour in (("a", RED), ("b", GREEN))
        for index in range(count)
    }


def _assert_red_and_green(data) -> None:
    assert data.classes == ("a", "b")
    for split in (data.train, data.test):
        assert split.labels.dtype == torch.int64
        for image, label in zip(split.images, split.labels, strict=True):
            expected = torch.tensor((RED, GREEN)[int(label)], dtype=torch.uint8)
            assert torch.equal(image, expected[:, None, None].expand(3, 10, 12))


@pytest.mark.parametrize("enclosing", ["", "photos/", "outer/photos/", "./", ".//photos/"])
def test_zip_with_a_given_split(tmp_path, enclosing):
    name = _zip(tmp_path / "x.zip", {enclosing + member: content for member, content in _given_split().items()})
    data = load_dataset(name, tmp_path)
    assert (len(data.train), len(data.test), data.shape, data.name) == (6, 4, (3, 10, 12), name)
    _assert_red_and_green(data)


@pytest.mark.parametrize("enclosing", ["", "photos/", "train/"])
def test_zip_of_class_folders_is_split_by_a_seed(tmp_path, enclosing):
    name = _zip(tmp_path / "x.zip", {enclosing + member: content for member, content in _two_classes(10).items()})
    data = load_dataset(name, tmp_path)
    assert data.train.labels.bincount().tolist() == [8, 8]
    assert data.test.labels.bincount().tolist() == [2, 2]
    _assert_red_and_green(data)


def test_zip_ignores_what_computers_leave_behind(tmp_path):
    litter = {
        "__MACOSX/photos/train/a/._0.png": b"\0",
        "photos/.DS_Store": b"\0",
        "photos/train/a/.hidden.png": b"\0",
        "photos/train/a/Thumbs.db": b"\0",
        "photos/readme.txt": b"hello",
        "photos/preview.png": b"not even an image",
        "icon.png": b"not even an image",
        "photos/train/c/": b"",
    }
    members = {f"photos/{member}": content for member, content in _given_split().items()}
    _assert_red_and_green(load_dataset(_zip(tmp_path / "x.zip", litter | members), tmp_path))


def test_zip_written_with_backslashes(tmp_path):
    members = {member.replace("/", "\\"): content for member, content in _given_split().items()}
    _assert_red_and_green(load_dataset(_zip(tmp_path / "x.zip", members), tmp_path))


def test_val_stands_in_for_test_and_numbers_sort_as_numbers():
    names = [f"set/{split}/{one}/{index}.jpg" for split in ("train", "val") for one in (10, 2, 1) for index in range(2)]
    found = layout.read_layout(names, "x.zip")
    assert found.classes == ("1", "2", "10")
    assert found.test == tuple(
        (f"set/val/{one}/{index}.jpg", k) for k, one in enumerate((1, 2, 10)) for index in (0, 1)
    )


def test_grey_images_get_one_channel_whatever_their_depth(tmp_path):
    deep = Image.fromarray(np.full((10, 12), 200 * 257, np.uint16))
    buffer = io.BytesIO()
    deep.save(buffer, "PNG")
    members = _two_classes(2) | {"a/0.png": buffer.getvalue()}
    mixed = load_dataset(_zip(tmp_path / "mixed.zip", members), tmp_path)
    assert mixed.shape[0] == 3
    grey = {name: _png(100 if name[0] == "b" else 200, mode="L") for name in members} | {"a/0.png": buffer.getvalue()}
    data = load_dataset(_zip(tmp_path / "grey.zip", grey), tmp_path)
    assert data.shape == (1, 10, 12)
    for split in (data.train, data.test):
        assert (split.images == torch.where(split.labels == 0, 200, 100)[:, None, None, None]).all()


@pytest.mark.parametrize("odd", [_png(RED, (12, 11)), _png(200, mode="L")])
def test_one_image_unlike_the_first_changes_nothing_for_the_others(tmp_path, odd):
    data = load_dataset(_zip(tmp_path / "x.zip", _given_split() | {"train/b/2.png": odd}), tmp_path)
    assert data.shape == (3, 10, 12)
    _assert_red_and_green(
        Dataset(data.name, data.classes, Split(data.train.images[:5], data.train.labels[:5]), data.test, "")
    )


def test_transparent_pixels_lie_on_white(tmp_path):
    members = {name: _png((0, 0, 0, 255 * (name[0] == "b")), mode="RGBA") for name in _two_classes(2)}
    data = load_dataset(_zip(tmp_path / "x.zip", members), tmp_path)
    assert data.train.images.float().mean((1, 2, 3)).tolist() == [255, 0]


def _side_by_side(width: int, height: int, kind: str) -> bytes:
    """Left half black, right half white."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, width // 2 :] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ([(128, 100)] * 4, (3, 100, 128)),  # one size of at most 128: kept
        ([(200, 100)] * 4, (3, 32, 64)),  # larger: the longer side becomes 64
        ([(40, 20), (40, 20), (40, 20), (90, 90)], (3, 20, 40)),  # the most common size, small enough
        ([(640, 480), (640, 480), (30, 30), (2000, 1000)], (3, 48, 64)),  # the most common size, reduced
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_images_are_brought_to_one_size(tmp_path, sizes, shape, kind):
    names = ("a/0", "a/1", "b/0", "b/1")
    members = {f"{name}.{kind.lower()}": _side_by_side(*size, kind) for name, size in zip(names, sizes, strict=True)}
    data = load_dataset(_zip(tmp_path / "x.zip", members), tmp_path)
    assert data.shape == shape
    for images in (data.train.images, data.test.images):
        quarter = shape[2] // 4
        assert (images[..., :quarter].float().mean((1, 2, 3)) < 5).all()
        assert (images[..., -quarter:].float().mean((1, 2, 3)) > 250).all()


def test_photographs_stand_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    buffer = io.BytesIO()
    Image.open(io.BytesIO(_side_by_side(40, 40, "PNG"))).save(buffer, "JPEG", exif=exif)
    members = {name.replace("png", "jpg"): buffer.getvalue() for name in _two_classes(2)}
    data = load_dataset(_zip(tmp_path / "x.zip", members), tmp_path)
    assert data.train.images[..., :10].float().mean() > 250


def test_fingerprint_is_of_the_content_and_the_second_load_decodes_nothing(tmp_path, monkeypatch):
    name = _zip(tmp_path / "x.zip", _given_split())
    content = (tmp_path / "x.zip").read_bytes()
    assert fingerprint(name) == f"zip-2-{hashlib.sha256(content).hexdigest()[:16]}"
    shares = []
    first = load_dataset(name, tmp_path, lambda share, text: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert first.fingerprint == fingerprint(name)

    def fail(*arguments: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(pictures, "read_pictures", fail)
    (tmp_path / "renamed.zip").write_bytes(content)
    second = load_dataset(f"zip:{tmp_path / 'renamed.zip'}", tmp_path)
    assert second.classes == first.classes
    assert torch.equal(second.train.images, first.train.images)
    assert torch.equal(second.test.labels, first.test.labels)


def test_threads_do_not_mix_images_up(tmp_path):
    rng = np.random.default_rng(0)
    shades = rng.integers(0, 256, 500)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_STORED) as file:
        for index, shade in enumerate(shades):
            file.writestr(f"{index % 2}/{index:03}.png", _png(int(shade), (200, 100), "L"))
    with archive.Archive(tmp_path / "x.zip") as opened:
        names = sorted(opened.images, key=lambda name: name[2:])
        images = pictures.read_pictures(opened, names, lambda share: None).images
    assert images.shape == (500, 1, 32, 64)
    assert np.array_equal(images, np.broadcast_to(shades[:, None, None, None], images.shape))


# --- ZIP files: what they refuse


def _refused(name: str, root: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_dataset(name, root)
    message = str(caught.value)
    assert "\n" not in message
    assert "0x" not in message
    assert not (root / "zip-cache").exists()
    return message


def test_missing_file_and_folder(tmp_path):
    assert "No such file" in _refused(f"zip:{tmp_path / 'none.zip'}", tmp_path)
    assert "directory" in _refused(f"zip:{tmp_path}", tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\3\4" + bytes(100), b"PK\5\6" + b"\xff" * 18])
def test_not_a_zip(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    message = _refused(f"zip:{tmp_path / 'x.zip'}", tmp_path)
    assert "ZIP" in message or "files" in message


def test_cut_short(tmp_path):
    _zip(tmp_path / "x.zip", _given_split())
    content = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(content[:-30])
    assert "only part of one" in _refused(f"zip:{tmp_path / 'x.zip'}", tmp_path)


@pytest.mark.parametrize("escape", ["../a/0.png", "a/../../0.png", "/a/0.png", "C:\\a\\0.png", "..\\a\\0.png"])
def test_names_that_lead_out(tmp_path, escape):
    message = _refused(_zip(tmp_path / "x.zip", _two_classes() | {escape: _png(RED)}), tmp_path)
    assert "leads out" in message


def test_unprintable_names(tmp_path):
    assert "unprintable" in _refused(_zip(tmp_path / "x.zip", _two_classes() | {"a/\x1b[2J.png": b"x"}), tmp_path)


def test_names_without_end(tmp_path):
    name = _zip(tmp_path / "x.zip", _two_classes() | {"a/" * 10_000 + "0.png": _png(RED)})
    assert "20005 characters" in _refused(name, tmp_path)


def test_links(tmp_path):
    _zip(tmp_path / "x.zip", _two_classes())
    link = zipfile.ZipInfo("a/link.png")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "a") as file:
        file.writestr(link, "/etc/passwd")
    assert "the link 'a/link.png'" in _refused(f"zip:{tmp_path / 'x.zip'}", tmp_path)


def test_encrypted(tmp_path):
    _zip(tmp_path / "x.zip", _two_classes())
    content = bytearray((tmp_path / "x.zip").read_bytes())
    directory = content.index(b"PK\1\2")
    content[directory + 8] |= 1
    (tmp_path / "x.zip").write_bytes(content)
    assert "encrypted" in _refused(f"zip:{tmp_path / 'x.zip'}", tmp_path)


def test_unusual_compression(tmp_path):
    # bzip2 and LZMA unpack without a limit on what one read may return.
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_BZIP2) as file:
        for name, content in _two_classes().items():
            file.writestr(name, content)
    assert "unusual" in _refused(f"zip:{tmp_path / 'x.zip'}", tmp_path)


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_MEMBER_COUNT", 9)
    assert "more than 9 files" in _refused(_zip(tmp_path / "x.zip", _two_classes(5)), tmp_path)


def test_a_directory_too_long_is_refused_before_it_is_read(tmp_path, monkeypatch):
    name = _zip(tmp_path / "x.zip", _two_classes(5))
    content = bytearray((tmp_path / "x.zip").read_bytes())
    struct.pack_into("<I", content, content.rindex(b"PK\5\6") + 12, 2**31)
    (tmp_path / "x.zip").write_bytes(content)
    monkeypatch.setattr(archive.zipfile, "ZipFile", None)
    assert "more than 200000 files" in _refused(name, tmp_path)


def test_a_zip64_record_is_understood(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)  # makes the writer add the larger record
    name = _zip(tmp_path / "x.zip", _given_split())
    content = bytearray((tmp_path / "x.zip").read_bytes())
    record = content.rindex(b"PK\6\6")
    _assert_red_and_green(load_dataset(name, tmp_path))
    struct.pack_into("<Q", content, record + 40, 2**40)
    (tmp_path / "y.zip").write_bytes(content)
    with pytest.raises(InputError, match="more than 200000 files"):
        load_dataset(f"zip:{tmp_path / 'y.zip'}", tmp_path)


def _declare_size(path: Path, member: bytes, size: int) -> None:
    """Let the directory claim that `member` unpacks to `size` bytes."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(member) - 46
    assert content[entry : entry + 4] == b"PK\1\2"
    struct.pack_into("<I", content, entry + 24, size)
    path.write_bytes(content)


def test_declared_bombs(tmp_path):
    name = _zip(tmp_path / "x.zip", _two_classes())
    _declare_size(tmp_path / "x.zip", b"a/0.png", 2**31)
    assert "'a/0.png' in x.zip unpacks to 2048 MB" in _refused(name, tmp_path)


def test_declared_total(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_TOTAL", 500)
    assert "of images" in _refused(_zip(tmp_path / "x.zip", _two_classes()), tmp_path)


def test_more_content_than_declared_is_never_unpacked(tmp_path):
    import tracemalloc

    name = _zip(tmp_path / "x.zip", _two_classes() | {"a/0.png": bytes(100_000_000)})
    _declare_size(tmp_path / "x.zip", b"a/0.png", 1000)
    tracemalloc.start()
    message = _refused(name, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "'a/0.png'" in message
    assert peak < 10_000_000


def test_less_content_than_declared(tmp_path):
    name = _zip(tmp_path / "x.zip", _two_classes())
    _declare_size(tmp_path / "x.zip", b"a/0.png", 100_000)
    assert "'a/0.png'" in _refused(name, tmp_path)


def test_damaged_member_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_STORED) as file:
        for name, content in _two_classes().items():
            file.writestr(name, content)
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[content.index(b"b/3.png") + 40] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(content)
    assert "'b/3.png' in x.zip is damaged" in _refused(f"zip:{tmp_path / 'x.zip'}", tmp_path)


def _claiming(width: int, height: int) -> bytes:
    """A valid PNG header of a picture whose pixels are missing."""
    import zlib

    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) for body in (head, b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("size", [(10_000, 5_001), (100_000, 100_000)])
def test_image_bombs_are_refused_by_their_header(tmp_path, size):
    name = _zip(tmp_path / "x.zip", _two_classes() | {"b/1.png": _claiming(*size)})
    message = _refused(name, tmp_path)
    assert "'b/1.png' in x.zip has more than 50 megapixels" in message


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty (0 bytes)"),
        (b"hello", "can't be read as an image"),
        (_png(RED, (60, 60))[:-40], "can't be read as an image"),
        (_png(RED, kind="JPEG")[:300], "can't be read as an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "can't be read as an image"),
    ],
)
def test_unreadable_images_are_named(tmp_path, content, complaint):
    message = _refused(_zip(tmp_path / "x.zip", _two_classes() | {"b/4.png": content}), tmp_path)
    assert "'b/4.png'" in message
    assert complaint in message


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"a/0.png": b"x", "a/1.png": b"x"}, "single class folder, 'a'"),
        ({"0.png": b"x"}, "no images in class folders"),
        ({"readme.txt": b"x"}, "no images in class folders"),
        ({"a/0.png": b"x", "a/1.png": b"x", "b/0.png": b"x"}, "a single image of 'b'"),
        ({"train/a/0.png": b"x", "test/a/0.png": b"x"}, "single class folder, 'a'"),
        (
            {"train/a/0.png": b"x", "train/b/0.png": b"x", "test/a/0.png": b"x"},
            "images of 'b' in train/ but none in test/",
        ),
        (
            {
                "train/a/0.png": b"x",
                "train/b/0.png": b"x",
                "test/a/0.png": b"x",
                "test/b/0.png": b"x",
                "test/c/0.png": b"x",
            },
            "images of 'c' in test/ but none in train/",
        ),
    ],
)
def test_layouts_that_make_no_classification_problem(tmp_path, members, complaint):
    assert complaint in _refused(_zip(tmp_path / "x.zip", members), tmp_path)
