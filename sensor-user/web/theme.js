// Sets the scheme that the viewer chose before anything is painted; so it is no module.
try {
  const theme = localStorage.getItem("teiten.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is switched off: the machine's scheme holds.
}
