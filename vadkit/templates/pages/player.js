"use strict";
// Connects the video, the charts and the table of events. Without it the page still shows them all.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { edges, scores } = data;
  const start = edges[0], end = edges[edges.length - 1];  // start: when the player shows the first picture
  const video = document.getElementById("video");
  const slider = document.getElementById("threshold");
  const svgName = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const clock = (seconds) => {
    const tenths = Math.round(seconds * 10), whole = Math.floor(tenths / 10);
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    const rest = `${two(whole % 60)}.${tenths % 10}`;
    return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
  };
  const snippetAt = (time) => {
    let low = 0, high = scores.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (edges[middle] <= time) low = middle; else high = middle - 1;
    }
    return low;
  };

  // The play-head: a line in every chart at the video's current time.
  let now = start;
  const plots = [...document.querySelectorAll("figure[data-timeline] .plot")];
  const heads = plots.map((plot) => {
    const head = svgName("line", { class: "playhead", y1: "0", y2: "100%", x1: "0", x2: "0" });
    plot.querySelector("svg").append(head);
    return head;
  });
  const readout = document.getElementById("now");
  const show = (time) => {
    now = clamp(time, start, end);
    const place = `${(100 * now) / (end || 1)}%`;
    for (const head of heads) { head.setAttribute("x1", place); head.setAttribute("x2", place); }
    const score = scores[snippetAt(now)];
    readout.textContent = `at ${clock(now)} the score is ${score.toFixed(3)}`;
    for (const plot of plots) {
      plot.setAttribute("aria-valuenow", now.toFixed(2));
      plot.setAttribute("aria-valuetext", `${clock(now)}, score ${score.toFixed(3)}`);
    }
  };
  const seek = (time) => {
    show(time);
    if (video && video.readyState > 0) video.currentTime = now;
    else if (video) video.addEventListener("loadedmetadata", () => { video.currentTime = now; }, { once: true });
  };
  const follow = () => {
    show(video.currentTime);
    if (!video.paused && !video.ended) requestAnimationFrame(follow);
  };
  if (video) {
    video.addEventListener("play", follow);
    for (const name of ["seeked", "timeupdate", "pause"]) video.addEventListener(name, () => show(video.currentTime));
    const failed = () => { document.getElementById("no-video").hidden = false; };
    video.addEventListener("error", failed);
    if (video.error) failed();
  }

  // A chart is a slider over time: mouse, finger, keys.
  const step = (event) => {
    const i = snippetAt(now);
    const moves = {
      ArrowLeft: () => edges[now > edges[i] + 0.01 ? i : Math.max(0, i - 1)],
      ArrowRight: () => edges[i + 1],
      PageDown: () => now - 10, PageUp: () => now + 10, Home: () => start, End: () => end,
    };
    if (event.key === " " && video) { if (video.paused) video.play(); else video.pause(); }
    else if (moves[event.key]) seek(moves[event.key]());
    else return;
    event.preventDefault();
  };
  for (const plot of plots) {
    const svg = plot.querySelector("svg");
    const seekTo = (event) => {
      const box = svg.getBoundingClientRect();
      seek(end * clamp((event.clientX - box.left) / box.width, 0, 1));
    };
    for (const [name, value] of Object.entries({
      tabindex: "0", role: "slider", "aria-label": "Time in the video", "aria-valuemin": start, "aria-valuemax": end,
    })) plot.setAttribute(name, value);
    plot.addEventListener("keydown", step);
    plot.addEventListener("click", seekTo);
    plot.addEventListener("pointermove", (event) => { if (event.buttons === 1) seekTo(event); });
  }

  // Which stream lifts an event over the threshold; lifts.py does the same.
  const liftOf = (left, threshold) => {
    const needed = left.filter(([, score]) => score < threshold);
    const single = needed.filter(([name]) => !name.includes("+"));
    const listed = (names) => [names.slice(0, -1).join(", "), names.at(-1)].filter(Boolean).join(" and ");
    if (single.length === 1) return `${single[0][0]} lifts it over the threshold; without it ${single[0][1].toFixed(3)}`;
    if (single.length) {
      const scores = single.map(([name, score]) => `without ${name} ${score.toFixed(3)}`).join(", ");
      return `${listed(single.map(([name]) => name))} lift it over the threshold; ${scores}`;
    }
    if (needed.length) {
      const [name, score] = needed[0];
      return `${listed(name.split("+"))} together lift it over the threshold; without them ${score.toFixed(3)}`;
    }
    if (!left.length) return "";
    const [name, score] = left.reduce((least, other) => (other[1] < least[1] ? other : least));
    return `even without ${listed(name.split("+"))} it reaches ${score.toFixed(3)}`;
  };

  // The events are recomputed whenever the threshold moves; events.py does the same. What the rule has besides its
  // threshold stays as it is: how far below it an event ends, its least length, and the pause before the next one.
  const SLACK = 1e-6;
  const rule = data.rule ?? { off: data.threshold, least_s: 0, cool_down_s: 0 };
  const below = data.threshold === null ? 0 : data.threshold - rule.off;
  const findEvents = (threshold) => {
    const events = [], off = threshold === data.threshold ? rule.off : threshold - below;
    let first = -1, free = -Infinity;
    for (let i = 0; i <= scores.length; i++) {
      if (first < 0 && i < scores.length && scores[i] >= threshold && edges[i] >= free - SLACK) first = i;
      else if (first >= 0 && !(i < scores.length && scores[i] >= off)) {
        if (edges[i] - edges[first] >= rule.least_s - SLACK) {
          events.push(eventOf(first, i, threshold));
          free = edges[i] + rule.cool_down_s;
        }
        first = -1;
      }
    }
    return events;
  };
  const eventOf = (first, end, threshold) => {
    let top = first;
    for (let j = first; j < end; j++) if (scores[j] > scores[top]) top = j;
    const left = Object.entries(data.without).map(([name, values]) => [name, Math.max(...values.slice(first, end))]);
    const at = (edges[top] + edges[top + 1]) / 2;
    return { start: edges[first], end: edges[end], peak: scores[top], at, lift: liftOf(left, threshold) };
  };
  const timeLink = (seconds) => {
    const link = document.createElement("a");
    link.href = `${data.link}#t=${seconds}`;
    link.dataset.time = seconds;
    link.textContent = clock(seconds);
    return link;
  };
  const showEvents = (events) => {
    const body = document.querySelector("#events tbody");
    body.replaceChildren(...events.flatMap((event) => {
      const row = document.createElement("tr");
      const cells = [timeLink(event.start), clock(event.end), timeLink(event.at), event.peak.toFixed(3)];
      for (const content of cells) row.insertCell().append(content);
      for (const cell of row.cells) cell.className = "n";
      const lift = document.createElement("tr");
      lift.className = "lift";
      const sentence = lift.insertCell();
      sentence.colSpan = 4;
      sentence.textContent = event.lift;
      return [row, lift];
    }));
    document.getElementById("no-events").hidden = events.length > 0;
    document.getElementById("events").hidden = events.length === 0;
    for (const group of document.querySelectorAll("figure[data-timeline] .spans")) {
      group.replaceChildren(...events.map((event) => svgName("rect", {
        class: "span", x: (10000 * event.start) / end, width: (10000 * (event.end - event.start)) / end,
        y: 0, height: 1000,
      })));
    }
  };
  const chart = document.getElementById("score");
  const level = chart.querySelector(".level");
  // A threshold of null is none: its line is at the top and there are no events.
  const showThreshold = (chosen) => {
    const threshold = chosen ?? Number(slider.max);
    const [low, high] = [Number(chart.dataset.y0), Number(chart.dataset.y1)];
    const height = Number(chart.querySelector("svg").getAttribute("height"));
    const place = height * (1 - (threshold - low) / (high - low));
    const [line, text] = [level.querySelector("line"), level.querySelector("text")];
    line.setAttribute("y1", place);
    line.setAttribute("y2", place);
    text.setAttribute("y", place < 16 ? place + 14 : place - 5);
    text.textContent = chosen === null ? "no threshold" : `threshold ${threshold.toFixed(2)}`;
    document.getElementById("threshold-value").textContent = chosen === null ? "none" : threshold.toFixed(2);
    const events = chosen === null ? [] : findEvents(threshold);
    document.getElementById("count").textContent = events.length;
    showEvents(events);
  };
  slider.addEventListener("input", () => showThreshold(Number(slider.value)));
  document.getElementById("reset").addEventListener("click", () => {
    slider.value = data.threshold ?? slider.max;
    showThreshold(data.threshold);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest ? event.target.closest("a[data-time]") : null;
    if (!link || !video) return;
    event.preventDefault();
    seek(Number(link.dataset.time));
  });
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
  show(start);
})();
