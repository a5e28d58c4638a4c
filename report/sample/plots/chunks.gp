# redraw: gnuplot chunks.gp (in this directory)
set terminal svg size 900,480 font 'DejaVu Sans,13' background '#ffffff' noenhanced
if (!exists('output_name')) output_name = 'chunks.svg'
set output output_name
set datafile separator tab
set border 3 linecolor '#555555'
set tics nomirror out
set grid xtics linetype 1 linecolor '#e4e4e4'
set key top right reverse Left samplen 1.5
set title "How many numbers should a worker take at once?" font ',15' offset 0,0.6
set logscale x
set xtics ('1' 1, '10' 10, '100' 100, '1000' 1e3, '10 000' 1e4, '10^5' 1e5, '10^6' 1e6, '10^7' 1e7)
set key outside right top
set rmargin 28
set xlabel 'chunk: numbers handed out at once (logarithmic)'
set ylabel 'time per number (logarithmic)'
set grid ytics linetype 1 linecolor '#e4e4e4'
set logscale y
set ytics ("0.1 ns" 0.1, "1 ns" 1e0, "10 ns" 1e1, "100 ns" 1e2, "1 us" 1e3, "10 us" 1e4, "100 us" 1e5, "1 ms" 1e6, "10 ms" 1e7, "100 ms" 1e8, "1 s" 1e9, "10 s" 1e10, "100 s" 1e11)
plot 'chunks.dat' index 0 using 1:2 with linespoints linewidth 2 dashtype 1 pointtype 7 linecolor '#0072B2' title 'map, processes', \
 'chunks.dat' index 1 using 1:2 with linespoints linewidth 2 dashtype 1 pointtype 7 linecolor '#D55E00' title 'map, threads', \
 'chunks.dat' index 2 using 1:2 with linespoints linewidth 2 dashtype 2 pointtype 6 linecolor '#0072B2' title 'map_async, processes', \
 'chunks.dat' index 3 using 1:2 with linespoints linewidth 2 dashtype 2 pointtype 6 linecolor '#D55E00' title 'map_async, threads', \
 'chunks.dat' index 4 using 1:2 with linespoints linewidth 2 dashtype 3 pointtype 5 linecolor '#0072B2' title 'executor map, processes', \
 'chunks.dat' index 5 using 1:2 with linespoints linewidth 2 dashtype 3 pointtype 5 linecolor '#D55E00' title 'executor map, threads'
