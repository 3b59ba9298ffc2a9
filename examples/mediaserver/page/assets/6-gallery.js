// The grid of pictures.

/** Shows the pictures. Cards that are there already stay as they are, with their loaded images. */
function showGallery() {
  const gallery = $("gallery");
  const there = new Map([...gallery.children].map((item) => [item.dataset.alias, item]));
  gallery.replaceChildren(...pictures.all.map((picture) => there.get(picture.alias) ?? galleryItem(picture)));
  const n = pictures.all.length;
  $("empty").hidden = n > 0;
  $("count").textContent = n === 0 ? "" : n === 1 ? "1 picture" : `${n} pictures`;
}

function galleryItem(picture) {
  const canvas = make("canvas", { width: 32, height: 24, ariaHidden: "true" });
  const image = make("img", { alt: "" });
  const name = picture.name || picture.alias;
  const meta = [dimensions(picture.details), format(picture.details.content_type), bytes(picture.size)];
  const card = make("button", { type: "button", className: "card", ariaLabel: `${name}, ${meta.join(", ")}` },
    make("span", { className: "frame" }, canvas, image),
    make("span", { className: "text" },
      make("span", { className: "name", textContent: name }),
      make("span", { className: "meta", textContent: meta.filter(Boolean).join(" · ") })));
  card.onclick = () => openViewer(picture.alias);
  const item = make("li", {}, card);
  item.dataset.alias = picture.alias;
  fillCard(picture, canvas, image);
  return item;
}

/** Draws the placeholder, then the picture: a variant that suits the card. */
async function fillCard(picture, canvas, image) {
  placeholder(picture).then((hash) => drawBlurhash(canvas, hash));
  const extension = picture.details.content_type === "image/jpeg" ? "jpg" : "png";
  image.onload = () => image.classList.add("there");
  try {
    const address = server.variant(picture.alias, extension, [["thumbnail", 480]]);
    await load(address);
    image.src = address;
  } catch (error) {
    // Without a worker there are no variants; the original is always there, or nothing is.
    if (await stillThere(picture)) image.src = server.original(picture.alias);
  }
}

/** The picture's blurhash, which is asked for once. */
async function placeholder(picture) {
  if (picture.blurhash === undefined) {
    try {
      pictures.change(picture.alias, { blurhash: await server.blurhash(picture.alias) });
    } catch {
      return ""; // it is only an ornament
    }
  }
  return pictures.find(picture.alias)?.blurhash ?? "";
}

/** Whether the server still has a picture. One that it has not leaves the gallery. */
async function stillThere(picture) {
  try {
    await server.details(picture.alias);
    return true;
  } catch (error) {
    if (error.status !== 404) return true;
    pictures.remove(picture.alias);
    showGallery();
    note(`${picture.name || picture.alias} is not on the server any more.`);
    return false;
  }
}
