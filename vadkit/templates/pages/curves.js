"use strict";
// Shows one video, with the curves of the two variants that are chosen. Without it the first video has all curves.
(() => {
  const menu = (name) => document.getElementById(name);
  const [video, one, two] = ["video", "one", "two"].map(menu);
  if (!video) return;
  const figures = [...document.querySelectorAll("#curves > div")];
  const styles = [["var(--s0)", "none"], ["var(--s1)", "7 4"]];
  const style = (line, place) => {
    [line.style.stroke, line.style.strokeDasharray] = styles[place];
  };
  const show = () => {
    const chosen = [Number(one.value), Number(two.value)];
    figures.forEach((figure, number) => {
      figure.hidden = number !== Number(video.value);
      const lines = [...figure.querySelectorAll("path.curve")];
      const keys = [...figure.querySelectorAll(".legend li")];
      lines.forEach((line, variant) => {
        const place = chosen.indexOf(variant);
        line.style.display = place < 0 ? "none" : "";
        keys[variant].hidden = place < 0;
        if (place < 0) return;
        style(line, place);
        style(keys[variant].querySelector("line"), place);
      });
    });
  };
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
  for (const select of [video, one, two]) select.addEventListener("change", show);
  show();
})();
