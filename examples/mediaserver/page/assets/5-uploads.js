// What is on its way to the server.

/** How many files are sent at the same time; the others wait. */
const lanes = 3;
const waiting = [];
let sending = 0;

/** Queues files for upload. */
function upload(files) {
  const background = $("background").checked;
  for (const file of files) {
    const row = uploadRow(file.name || "pasted picture", file.size, file);
    waiting.push(() => sendFile(file, background, row));
  }
  startWaiting();
}

function startWaiting() {
  while (sending < lanes && waiting.length > 0) {
    sending++;
    waiting.shift()().finally(() => {
      sending--;
      startWaiting();
    });
  }
}

/** Sends one file and waits until it is in the gallery, or says why it is not. */
async function sendFile(file, background, row) {
  if (row.signal.aborted) return;
  try {
    const answer = await server.send(file, background, row.progress, row.signal);
    if (background) {
      const waiter = { id: answer.uploads[0].upload_id, name: file.name, size: file.size };
      pending.add(waiter);
      await awaitResult(waiter, row);
      return;
    }
    arrived(answer.files[0], file.name, file.size);
    row.remove();
  } catch (error) {
    row.fail(error);
  }
}

/** Waits for the worker's result of a background upload. */
async function awaitResult(waiter, row) {
  row.say("a worker takes it in …");
  try {
    const answer = await server.claim(waiter.id, row.signal);
    pending.remove(waiter.id);
    arrived(answer.files[0], waiter.name, waiter.size);
    row.remove();
  } catch (error) {
    // After a loss of the connection the result still waits for the next visit of the page.
    if (error.status || error.name === "AbortError") pending.remove(waiter.id);
    row.fail(error);
  }
}

/** Goes on with uploads that this page was waiting for when it was closed. */
function resumePending() {
  for (const waiter of pending.all) awaitResult(waiter, uploadRow(waiter.name, waiter.size));
}

function arrived(file, name, size) {
  pictures.add({ alias: file.file, token: file.delete_token, details: file.details, name, size, added: Date.now() });
  showGallery();
  note(`${name || "The picture"} is uploaded.`);
}

/** One line of the list of uploads. */
function uploadRow(name, size, file) {
  const stop = new AbortController();
  const picture = file?.type.startsWith("image/") ? URL.createObjectURL(file) : "";
  const preview = picture ? make("img", { className: "preview", alt: "", src: picture })
    : make("span", { className: "preview", ariaHidden: "true", textContent: "…" });
  const bar = make("progress", { max: 1, value: 0, ariaLabel: `Upload of ${name}` });
  const text = make("span", { textContent: "waiting" });
  const what = make("div", { className: "what" }, bar, text);
  const button = make("button", { type: "button", className: "dismiss", textContent: "Cancel", ariaLabel: `Cancel the upload of ${name}` });
  const line = make("li", { className: "upload" }, preview, make("div", { className: "name", textContent: name, title: name }), what, button);
  const remove = () => {
    URL.revokeObjectURL(picture);
    line.remove();
  };
  button.onclick = () => {
    stop.abort();
    remove();
  };
  $("uploads").append(line);
  return {
    signal: stop.signal,
    remove,
    progress(share) {
      if (share < 1) bar.value = share;
      else bar.removeAttribute("value"); // how long the server takes is not known
      text.textContent = share < 1 ? `${Math.floor(share * 100)} % of ${bytes(size)}` : "being checked …";
    },
    say(sentence) {
      bar.removeAttribute("value");
      text.textContent = sentence;
    },
    fail(error) {
      if (error.name === "AbortError") return remove();
      line.classList.add("failed");
      preview.textContent = "!";
      line.setAttribute("role", "alert");
      what.replaceChildren(`Not uploaded: ${error.message} `, error.code ? make("code", { textContent: `(${error.code})` }) : "");
      button.textContent = "Dismiss";
      button.ariaLabel = `Dismiss the failed upload of ${name}`;
    },
  };
}

/** Files come by the chooser, by being dropped anywhere on the page, and from the clipboard. */
function listenForFiles() {
  const input = $("files"), drop = $("drop");
  input.onchange = () => {
    upload(input.files);
    input.value = ""; // the same file may be chosen again
  };
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    upload(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => event.clipboardData?.files.length && upload(event.clipboardData.files));
  $("background").checked = store.read("background", false);
  $("background").onchange = () => store.write("background", $("background").checked);
}
