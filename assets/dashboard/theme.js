// Sets the remembered colours before the first paint. A classic script, so that nothing flashes.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("wakeful.theme");
  } catch {
    // Storage may be forbidden: the system's choice holds then.
  }
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
})();
