// One picture: looking at it, making variants, deleting it.

/** What the viewer shows: the picture, and the variant that was made of it last. */
const viewed = { alias: "", variant: null, turn: 0 };

function openViewer(alias) {
  const picture = pictures.find(alias);
  if (!picture) return;
  viewed.alias = alias;
  viewed.variant = null;
  viewed.turn++; // what is still under way for another picture is of no interest now
  $("viewer-title").textContent = picture.name || alias;
  $("original").href = server.original(alias);
  $("facts").replaceChildren(...facts(picture));
  $("problem").hidden = $("result").hidden = $("tabs").hidden = $("working").hidden = true;
  $("make").disabled = false;
  const canvas = $("placeholder");
  canvas.style.aspectRatio = `${picture.details.width} / ${picture.details.height}`;
  placeholder(picture).then((hash) => viewed.alias === alias && drawBlurhash(canvas, hash));
  chooseFormat(picture);
  show("original");
  for (const [id, step] of [["previous", -1], ["next", 1]]) $(id).disabled = !neighbour(step);
  if (!$("viewer").open) $("viewer").showModal();
  if (!$("viewer").contains(document.activeElement)) $("close").focus(); // a disabled button has lost the focus
  // The browser may have pictures of its own that the server has not any more.
  stillThere(picture).then((there) => there || viewed.alias !== alias || $("viewer").close());
}

function facts(picture) {
  const { details } = picture;
  const rows = [
    ["Dimensions", `${dimensions(details)} pixels`],
    ["Format", format(details.content_type) + (details.frames ? `, ${details.frames} frames` : "")],
    ["Size", bytes(picture.size)],
    ["Uploaded", new Date(details.created_at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })],
    ["Alias", picture.alias],
  ];
  return rows.filter(([, value]) => value).flatMap(([name, value]) =>
    [make("dt", { textContent: name }), make("dd", { textContent: value })]);
}

/** Shows the original or the variant on the stage. */
function show(which) {
  const picture = pictures.find(viewed.alias);
  const variant = which === "variant" && viewed.variant;
  const image = $("shown");
  const address = variant ? viewed.variant.address : server.original(viewed.alias);
  $("show-original").ariaPressed = String(!variant);
  $("show-variant").ariaPressed = String(Boolean(variant));
  image.alt = variant ? `Variant of ${picture.name || picture.alias}` : picture.name || picture.alias;
  if (image.getAttribute("src") === address) return;
  $("stage").classList.remove("there");
  image.onload = () => $("stage").classList.add("there");
  image.src = address;
}

/** Offers the formats, the picture's own first. */
function chooseFormat(picture) {
  const formats = [["jpg", "JPEG"], ["png", "PNG"], ["webp", "WebP"], ["gif", "GIF"]];
  $("format").replaceChildren(...formats.map(([value, name]) => make("option", { value, textContent: name })));
  $("format").value = formats.find(([, name]) => name === format(picture.details.content_type))?.[0] ?? "png";
}

/** What the builder says, as steps of the server's process. */
function steps() {
  const all = [];
  if ($("crop").value) all.push(["crop", $("crop").value]);
  if ($("size").value) all.push([$("size").value, $("pixels").value]);
  if (Number($("blur").value) > 0) all.push(["blur", $("blur").value]);
  return all;
}

/** Asks for the variant, which a worker makes if it is not there yet, and shows it. */
async function makeVariant() {
  const { alias, turn } = viewed;
  const address = server.variant(alias, $("format").value, steps());
  const began = performance.now();
  $("problem").hidden = $("result").hidden = true;
  $("working").hidden = false;
  $("make").disabled = true;
  try {
    const image = await load(address);
    if (viewed.turn !== turn) return;
    viewed.variant = { address };
    $("result-facts").textContent = `${image.naturalWidth} × ${image.naturalHeight} ${$("format").selectedOptions[0].textContent} ` +
      `in ${Math.round(performance.now() - began).toLocaleString()} ms`;
    $("address").value = new URL(address, location.href).href;
    $("result").hidden = $("tabs").hidden = false;
    show("variant");
    $("stage").scrollIntoView({ block: "nearest" }); // on a phone it may be out of sight
  } catch (error) {
    if (viewed.turn !== turn) return;
    $("problem").textContent = `The variant was not made: ${error.message}${error.code ? ` (${error.code})` : ""}`;
    $("problem").hidden = false;
  } finally {
    if (viewed.turn === turn) {
      $("working").hidden = true;
      $("make").disabled = false;
    }
  }
}

/** The alias of the picture so many places further on; undefined at the ends. */
function neighbour(step) {
  const at = pictures.all.findIndex((picture) => picture.alias === viewed.alias);
  return pictures.all[at + step]?.alias;
}

/** Deletes the picture that is shown, after asking. */
async function deleteViewed() {
  const picture = pictures.find(viewed.alias);
  const name = picture.name || picture.alias;
  $("confirm-text").textContent = `${name} and every variant of it will be gone for everybody.`;
  $("confirm").returnValue = "no";
  $("confirm").showModal();
  // The event comes a moment after the closing: one may still be on its way from the last time.
  while ($("confirm").open) await new Promise((resolve) => $("confirm").addEventListener("close", resolve, { once: true }));
  if ($("confirm").returnValue !== "yes") return;
  try {
    await server.delete(picture.alias, picture.token);
  } catch (error) {
    $("problem").textContent = `Not deleted: ${error.message}${error.code ? ` (${error.code})` : ""}`;
    $("problem").hidden = false;
    return;
  }
  pictures.remove(picture.alias);
  showGallery();
  $("viewer").close();
  $("gallery").focus(); // the card that had the focus is gone
  note(`${name} is deleted.`);
}

function listenInViewer() {
  $("close").onclick = () => $("viewer").close();
  $("previous").onclick = () => openViewer(neighbour(-1));
  $("next").onclick = () => openViewer(neighbour(1));
  $("viewer").onclick = (event) => {
    if (event.target === $("viewer")) $("viewer").close(); // the click was beside it
  };
  document.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !$("viewer").open || $("confirm").open || event.target.matches("input, select") || !neighbour(step)) return;
    event.preventDefault();
    openViewer(neighbour(step));
  };
  $("show-original").onclick = () => show("original");
  $("show-variant").onclick = () => show("variant");
  $("delete").onclick = deleteViewed;
  $("builder").onsubmit = (event) => {
    event.preventDefault();
    makeVariant();
  };
  $("size").onchange = () => ($("pixels").disabled = !$("size").value);
  $("blur").oninput = () => ($("blur-value").textContent = Number($("blur").value) > 0 ? `σ ${$("blur").value}` : "off");
  $("copy").onclick = async () => {
    try {
      await navigator.clipboard.writeText($("address").value);
      note("The address is copied.");
    } catch {
      $("address").select(); // without a secure origin the browser does not allow it
      note("Press Ctrl+C to copy the address.");
    }
  };
}
