# redraw: gnuplot waits.gp (in this directory)
set terminal svg size 1060,360 font 'DejaVu Sans,13' background '#ffffff' noenhanced
if (!exists('output_name')) output_name = 'waits.svg'
set output output_name
set datafile separator tab
set border 3 linecolor '#555555'
set tics nomirror out
set grid xtics linetype 1 linecolor '#e4e4e4'
set key top right reverse Left samplen 1.5
set title "How long does a worker wait for a connection?" font ',15' offset 0,0.6
set logscale x
set xtics ("0.1 ns" 0.1, "1 ns" 1e0, "10 ns" 1e1, "100 ns" 1e2, "1 us" 1e3, "10 us" 1e4, "100 us" 1e5, "1 ms" 1e6, "10 ms" 1e7, "100 ms" 1e8, "1 s" 1e9, "10 s" 1e10, "100 s" 1e11)
set ytics ("sqlite, recovering, threads" 1, "sim, recovering, threads" 2, "sqlite, recovering, processes" 3, "sim, recovering, processes" 4, "sqlite, bare, threads" 5, "sim, bare, threads" 6, "sqlite, bare, processes" 7, "sim, bare, processes" 8)
set yrange [0.4:8.6]
set xlabel 'time from asking to having (logarithmic)'
set lmargin 30
set key outside right center
set rmargin 32
plot 'waits.dat' using 1:5:($4-$1):(0) with vectors nohead linecolor '#aaaaaa' linewidth 2 notitle, \
 '' using 1:5 with points pointtype 7 pointsize 1.1 linecolor '#0072B2' title 'half of the waits are shorter', \
 '' using 2:5 with points pointtype 5 pointsize 1.1 linecolor '#56B4E9' title '95 % are shorter', \
 '' using 3:5 with points pointtype 9 pointsize 1.1 linecolor '#E69F00' title '99 % are shorter', \
 '' using 4:5 with points pointtype 13 pointsize 1.1 linecolor '#D55E00' title 'the longest'
