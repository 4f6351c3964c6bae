/* The report's style sheet, light and dark. No angle bracket or ampersand stands in it, so that the
 * page stays well-formed XML. The colours c0 to c6 are told apart by people who see red and green
 * alike (after Okabe and Ito), darker on white and lighter on black; c7 is a grey for references.
 */
#ifndef BENCHMARKS_REPORT_STYLE_H
#define BENCHMARKS_REPORT_STYLE_H

#define REPORT_STYLE                                                                              \
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1a1c1f;--soft:#5b6167;--rule:#dfe2e6;"     \
    "--c0:#0a6ab5;--c1:#c8500a;--c2:#0a7f5c;--c3:#9a6a00;--c4:#a4488a;--c5:#2f8fc4;--c6:#6b5fb0;" \
    "--c7:#7b8188}\n"                                                                             \
    "@media (prefers-color-scheme:dark){:root{--paper:#14161a;--ink:#e8eaed;--soft:#a4abb3;"      \
    "--rule:#33383f;--c0:#5fb0f2;--c1:#f58b4c;--c2:#3fc797;--c3:#e0b040;--c4:#e08cc8;"            \
    "--c5:#8fd0f5;--c6:#b0a6f0;--c7:#8d949c}}\n"                                                  \
    "*{box-sizing:border-box}\n"                                                                  \
    "body{margin:0 auto;max-width:1180px;padding:0 16px 48px;background:var(--paper);"            \
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"                                      \
    "h1{font-size:1.7em;margin:.9em 0 .2em}h2{font-size:1.3em;margin:1.8em 0 .4em;"               \
    "border-top:1px solid var(--rule);padding-top:.8em}h3{font-size:1.05em;margin:0}\n"           \
    "header p{margin:.2em 0}section p,figcaption p{color:var(--soft);font-size:.92em;"            \
    "margin:.2em 0 .6em}\n"                                                                       \
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));"    \
    "gap:28px 36px;align-items:start}\n"                                                          \
    ".charts *{min-width:0}figure{margin:0;overflow-wrap:anywhere}figure svg{display:block;"      \
    "width:100%;height:auto}\n"                                                                   \
    "svg text{font-size:12px;fill:var(--ink);font-variant-numeric:tabular-nums}\n"                \
    ".grid{stroke:var(--rule);stroke-width:1}.mark{stroke:var(--c1);stroke-width:1;"              \
    "stroke-dasharray:3 3}.reference{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:5 3}\n"  \
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}.dashed{stroke-dasharray:6 4}"          \
    ".dots{stroke-width:6;stroke-linecap:round;stroke-dasharray:0 22;stroke-dashoffset:-11}"      \
    ".block{fill:none;stroke-width:12}.cut{fill:none;stroke:var(--paper);stroke-width:2.5}\n"     \
    ".line.c3{stroke-dasharray:8 3}.line.c4{stroke-dasharray:2 3}\n"                              \
    ".c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}"        \
    ".c4{stroke:var(--c4)}.c5{stroke:var(--c5)}.c6{stroke:var(--c6)}.c7{stroke:var(--c7)}\n"      \
    ".dot,.bar{stroke:none}.dot.c0,.bar.c0{fill:var(--c0)}.dot.c1,.bar.c1{fill:var(--c1)}"        \
    ".dot.c2,.bar.c2{fill:var(--c2)}.dot.c3,.bar.c3{fill:var(--c3)}.dot.c4,.bar.c4{"              \
    "fill:var(--c4)}.dot.c5,.bar.c5{fill:var(--c5)}.dot.c6,.bar.c6{fill:var(--c6)}"               \
    ".dot.c7,.bar.c7{fill:var(--c7)}\n"                                                           \
    ".legend,.marks{font-size:.85em;padding:0;margin:.2em 0}.legend{list-style:none;"             \
    "display:flex;flex-wrap:wrap;gap:2px 16px}.marks{padding-left:2em;color:var(--soft)}"         \
    ".key .reference{stroke:var(--ink)}figure "                                                   \
    ".key{display:inline-block;width:24px;height:12px;vertical-align:-1px}\n"                     \
    ".none{color:var(--soft);font-style:italic}.warning{border-left:4px solid "                   \
    "var(--c1);padding-left:.6em}\n"                                                              \
    "details{margin:.4em 0}summary{cursor:pointer;color:var(--soft);font-size:.88em;"             \
    "padding:.3em 0}\n"                                                                           \
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88em;"                       \
    "font-variant-numeric:tabular-nums}caption{position:absolute;width:1px;height:1px;"           \
    "overflow:hidden;clip-path:inset(50%)}\n"                                                     \
    "th,td{padding:.28em .7em .28em 0;border-bottom:1px solid var(--rule);text-align:right;"      \
    "white-space:nowrap}th{font-weight:600}tbody th{font-weight:400}th:first-child{"              \
    "text-align:left}\n"

#endif
