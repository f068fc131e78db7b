(()=>{
const $=s=>document.querySelector(s),box=$("#q"),none=$("#none"),sum=$("#sum"),keys=$("#keys"),help=$("dialog"),body=$("tbody");
if(!body)return;
const rows=[...body.rows],total=sum.textContent,plain=s=>s.normalize("NFKC").toLowerCase(),names=rows.map(r=>plain(r.querySelector("bdi").textContent));
const links=()=>rows.filter(r=>!r.hidden).map(r=>r.querySelector("a")).filter(Boolean);
const filter=()=>{
const words=plain(box.value).split(/\s+/);let n=0;
rows.forEach((r,i)=>{const ok=words.every(w=>names[i].includes(w));if(r.hidden==ok)r.hidden=!ok;n+=ok});
none.hidden=n>0;sum.textContent=box.value.trim()?n+" / "+rows.length:total};
const move=step=>{
const all=links(),i=all.indexOf(document.activeElement);
if(all.length)all[i<0?(step>0?0:all.length-1):Math.min(Math.max(i+step,0),all.length-1)].focus()};
const columns=()=>{const all=links(),top=a=>a.closest("tr").offsetTop,n=all.findIndex(a=>top(a)!=top(all[0]));return n<0?all.length:n};
const grid=document.body.className=="grid",line=()=>grid?columns():1;
const up=()=>{const a=$("a[rel=up]");if(a)location=a.href};
const on={"/":()=>{box.focus();box.select()},"?":()=>help.showModal(),j:()=>move(line()),ArrowDown:()=>move(line()),k:()=>move(-line()),ArrowUp:()=>move(-line()),h:up,Backspace:up};
if(grid){on.ArrowRight=()=>move(1);on.ArrowLeft=()=>move(-1)}
addEventListener("keydown",e=>{
if(e.ctrlKey||e.metaKey||e.altKey||e.isComposing||help.open)return;
if(e.target==box){
if(e.key=="Escape"){box.value="";filter();box.blur()}
else if(e.key=="ArrowDown"){e.preventDefault();box.blur();move(1)}
else if(e.key=="Enter"){const a=links()[0];if(a&&box.value.trim())a.click()}
return}
const act=on[e.key];if(act){e.preventDefault();act()}});
box.oninput=filter;
keys.onclick=on["?"];
help.onclick=()=>help.close();
const exact=new Intl.DateTimeFormat(document.documentElement.lang,{dateStyle:"full",timeStyle:"medium"});
body.onmouseover=e=>{const t=e.target;if(t.dateTime&&!t.seen){t.seen=1;t.title=exact.format(new Date(t.dateTime))}};
if(matchMedia("(hover:none)").matches)box.placeholder=box.placeholder.split("  ")[0];
box.hidden=keys.hidden=false;if(box.value)filter()
})()
