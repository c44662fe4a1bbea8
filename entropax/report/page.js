// Draws every figure once, as SVG. Colours are CSS variables: a change of theme, or print, redraws nothing.
(function () {
  "use strict";
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const config = {
    font: "inherit",
    view: { stroke: null },
    axis: {
      labelColor: "var(--muted)", titleColor: "var(--muted)", gridColor: "var(--line)", domainColor: "var(--line)",
      tickColor: "var(--line)", labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", titlePadding: 8,
      labelPadding: 6, ticks: false, domain: false
    },
    axisX: { grid: false, domain: true, labelFlush: true },
    legend: { labelColor: "var(--muted)", titleColor: "var(--muted)", labelFontSize: 11, titleFontSize: 11,
              titleFontWeight: "normal", titleAnchor: "start" }
  };
  const offline = { load: () => Promise.reject(new Error("this page loads nothing")), sanitize: () => Promise.reject() };
  function draw(key) {
    const figure = document.getElementById("chart-" + key);
    const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, config: config,
                      loader: offline, tooltip: { theme: "custom", disableDefaultStyle: true } };
    return vegaEmbed(figure, charts[key], options).catch(function (error) {
      figure.textContent = "This chart could not be drawn: " + error.message;
      console.error(error);
    });
  }
  // Where a page has a selector, the screen shows one part at a time; print, and a page without scripts, show all.
  const choose = document.querySelector("select.choose");
  function show() {
    document.querySelectorAll("[data-choice]").forEach(function (part) {
      part.classList.toggle("other", part.dataset.choice !== choose.value);
    });
    window.dispatchEvent(new Event("resize"));
  }
  Promise.all(Object.keys(charts).map(draw)).then(function () {
    if (choose) {
      choose.addEventListener("change", show);
      show();
    }
    document.documentElement.dataset.drawn = String(document.querySelectorAll(".plot svg").length);
    window.dispatchEvent(new Event("resize"));
  });
})();
