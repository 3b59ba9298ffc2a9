// Everything is there: begin.

listenForFiles();
listenInViewer();
showGallery();
resumePending();
addEventListener("storage", (event) => {
  if (event.key !== "pictures") return;
  pictures.all = store.read("pictures", []); // another tab
  showGallery();
});
