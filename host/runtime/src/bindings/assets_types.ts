// Content types by file name extension: what web projects ship. Anything else is served as bytes.
const table = `
html htm: text/html; charset=utf-8
css: text/css; charset=utf-8
js mjs cjs: text/javascript; charset=utf-8
json map: application/json
webmanifest: application/manifest+json
txt log text conf ini: text/plain; charset=utf-8
md markdown: text/markdown; charset=utf-8
csv: text/csv; charset=utf-8
xml xsl: application/xml
rss: application/rss+xml
atom: application/atom+xml
vtt: text/vtt; charset=utf-8
ics: text/calendar; charset=utf-8
yaml yml: text/yaml; charset=utf-8
toml: application/toml
svg: image/svg+xml
png: image/png
jpg jpeg: image/jpeg
gif: image/gif
webp: image/webp
avif: image/avif
ico: image/vnd.microsoft.icon
bmp: image/bmp
tif tiff: image/tiff
apng: image/apng
woff: font/woff
woff2: font/woff2
ttf: font/ttf
otf: font/otf
eot: application/vnd.ms-fontobject
mp3: audio/mpeg
m4a: audio/mp4
aac: audio/aac
oga ogg opus: audio/ogg
wav: audio/wav
flac: audio/flac
weba: audio/webm
mp4 m4v: video/mp4
webm: video/webm
ogv: video/ogg
mov: video/quicktime
pdf: application/pdf
wasm: application/wasm
zip: application/zip
gz: application/gzip
tar: application/x-tar
glb: model/gltf-binary
gltf: model/gltf+json
`;

const types = new Map<string, string>();
for (const line of table.trim().split("\n")) {
  const [extensions, type] = line.split(": ", 2) as [string, string];
  for (const extension of extensions.split(" ")) types.set(extension, type);
}

export function contentTypeOf(path: string): string {
  const dot = path.lastIndexOf(".");
  const extension = dot > path.lastIndexOf("/") ? path.slice(dot + 1).toLowerCase() : "";
  return types.get(extension) ?? "application/octet-stream";
}
