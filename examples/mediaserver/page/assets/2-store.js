// What this browser remembers: its pictures with their tokens, and the uploads whose result it has not
// got yet. The server has no list of pictures for everybody.

const store = {
  read(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? otherwise;
    } catch {
      return otherwise; // storage is forbidden, or holds something else's data
    }
  },
  write(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      note("This browser does not keep data: reloading the page forgets the tokens for deleting.");
    }
  },
};

/** The pictures, newest first: {alias, token, name, size, details, blurhash, added}. */
const pictures = {
  all: store.read("pictures", []),
  find: (alias) => pictures.all.find((picture) => picture.alias === alias),
  add(picture) {
    // Another tab may have written since.
    pictures.all = [picture, ...store.read("pictures", pictures.all)];
    store.write("pictures", pictures.all);
  },
  change(alias, values) {
    Object.assign(pictures.find(alias) ?? {}, values);
    store.write("pictures", pictures.all);
  },
  remove(alias) {
    pictures.all = pictures.all.filter((picture) => picture.alias !== alias);
    store.write("pictures", pictures.all);
  },
};

/** Uploads that a worker is taking in: {id, name, size}. A page that is loaded again asks on. */
const pending = {
  all: store.read("pending", []),
  add(upload) {
    pending.all = [...pending.all, upload];
    store.write("pending", pending.all);
  },
  remove(id) {
    pending.all = pending.all.filter((upload) => upload.id !== id);
    store.write("pending", pending.all);
  },
};
